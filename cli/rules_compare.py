"""``hgrip rules diff | impact``: what a change of the rules does, before it takes effect."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

import settings as configuration
from cli.rules_check import RULES
from cli.terminal import (
    AsJson,
    ExitCode,
    Folder,
    Lang,
    chosen,
    console,
    errors,
    may_be_named,
    named,
    print_json,
)
from rules.engine.diff import Difference, diff
from rules.engine.judge import Judge
from rules.engine.load import load_rulebook
from schemas.texts import Language, Text
from store.database import connect, reading
from store.encryption import ColumnCipher
from store.forms import FormStore
from store.impact import GROUPS, Changed, Impact, impact
from store.releases import Rulebook, Rulebooks
from wire.keys import KeyRing


def register(app: typer.Typer) -> None:
    """Add these commands to ``hgrip rules``."""
    app.command("diff")(diff_)
    app.command("impact")(impact_)


def diff_(
    old: Annotated[
        str,
        typer.Argument(
            metavar="A", help="目录、版本号或摘要 / Folder, version or digest", callback=may_be_named
        ),
    ],
    new: Annotated[str, typer.Argument(metavar="B", help="同上 / The same", callback=may_be_named)] = str(
        RULES
    ),
    lang: Lang = "zh",
    as_json: AsJson = False,
) -> None:
    """哪些判断会改变：比较两个版本或工作目录的含义，而不是文字 / Which decisions change from A to B."""
    if Path(old).is_dir() and Path(new).is_dir():
        difference = diff(named(None, old), named(None, new))
    else:
        engine = connect(configuration.load().database_url.get_secret_value(), pool_size=1)
        with reading(engine) as reader:
            releases = named(reader, old), named(reader, new)
        engine.dispose()
        difference = diff(*releases)
    if as_json:
        print_json(difference.as_json())
    else:
        _tell(difference, lang)
    changed = difference.changes or difference.patterns or difference.settings
    raise typer.Exit(ExitCode.FOUND if changed else ExitCode.OK)


def impact_(
    folder: Folder = RULES,
    state: Annotated[
        Path, typer.Option(help="进度文件，中断后接着算 / Where it notes how far it has come")
    ] = Path("var/impact.json"),
    lang: Lang = "zh",
    as_json: AsJson = False,
) -> None:
    """用工作目录的规则重判已存的备份，列出会改变的 / Judge stored backups by the working copy."""
    try:
        Impact.resume(state, "")
    except ValueError:
        raise typer.BadParameter(
            f"{state} 不是进度文件，不会改动它 / {state} is no progress file and is left as it is"
        ) from None
    release = load_rulebook(folder)
    settings = configuration.load()
    engine = connect(settings.database_url.get_secret_value(), pool_size=1)
    forms = FormStore(ColumnCipher(KeyRing.load(settings.keys_file)))
    with Progress(console=errors, transient=True) as bar:
        task = bar.add_task(chosen(Text("备份", "backups"), lang))
        found = impact(
            engine,
            Rulebooks(settings.rule_signers),
            forms,
            Rulebook(release, Judge(release)),
            datetime.now(UTC),
            state,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    engine.dispose()
    if as_json:
        print_json(found.model_dump(mode="json", exclude={"after"}))
    else:
        _tell_impact(found, lang)
    raise typer.Exit(ExitCode.FOUND if found.changed else ExitCode.OK)


def _tell(difference: Difference, lang: Language) -> None:
    for change in difference.changes:
        console.print(chosen(change.sentence, lang), markup=False)
    for pattern in difference.patterns:
        console.print(chosen(pattern.sentence, lang), markup=False)
    for setting in difference.settings:
        console.print(setting, markup=False)
    decisions = len(difference.changes) + len(difference.settings)
    asked, files = f"{difference.asked:,}", len(difference.files)
    told = Text(
        f"比较了 {asked} 条记录：{decisions} 处判断改变；有改动的文件 {files} 个",
        f"{asked} records compared: {decisions} decisions change; {files} files differ",
    )
    console.print(chosen(told, lang))


def _tell_impact(found: Impact, lang: Language) -> None:
    for group in GROUPS:
        for change in found.changed:
            if change.group == group:
                console.print(_line(change), markup=False)
        console.print(chosen(found.sums(group).sentence, lang))


def _line(change: Changed) -> str:
    return f"{change.id}  {change.before} → {change.after}  {', '.join(change.rules)}"
