"""``hgrip rules check | test | format | new``: writing rules and trying them, without a database."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.progress import Progress

from cli.terminal import (
    AsJson,
    ExitCode,
    Folder,
    FolderOption,
    Lang,
    chosen,
    console,
    errors,
    fail,
    print_json,
)
from rules.engine.cases import Case, read_cases, read_untested, run_cases
from rules.engine.contradictions import check_contradictions
from rules.engine.coverage import Reach, Trial, cell_coverage, rule_coverage
from rules.engine.faults import CaseFailure, Fault, RulebookError
from rules.engine.format import formatted
from rules.engine.load import load_rulebook, rule_files
from rules.engine.mutate import survivors
from rules.engine.release import Release
from rules.engine.scaffold import new_category, new_repository, new_requirement
from schemas.texts import Language, Text

RULES = Path("rules")


class Kind(StrEnum):
    """What can be scaffolded."""

    CATEGORY = "category"
    REPOSITORY = "repository"
    REQUIREMENT = "requirement"


def register(app: typer.Typer) -> None:
    """Add these commands to ``hgrip rules``."""
    app.command()(check)
    app.command("test")(try_cases)
    app.command("format")(format_)
    app.command()(new)


def check(folder: Folder = RULES, lang: Lang = "zh", as_json: AsJson = False) -> None:
    """检查规则文件：写法、引用、完整、矛盾，再跑全部用例 / Check the rule files, then run all cases."""
    found = examined(folder)
    if as_json:
        faults, failures = map(_fault, found.faults), map(_failure, found.failures)
        print_json({"faults": list(faults), "failures": list(failures)})
    for line in () if as_json else found.sentences(lang):
        console.print(line, style="red", markup=False)
    if found.faults or found.failures or found.release is None:
        raise typer.Exit(ExitCode.FOUND)
    if not as_json:
        console.print(chosen(_summary(folder, found.release), lang))


class Examined(NamedTuple):
    """A folder of rule files, and everything that is wrong with it."""

    release: Release | None
    faults: list[Fault]
    failures: list[CaseFailure]

    def sentences(self, lang: Language) -> list[str]:
        """One per fault and per case that comes out otherwise."""
        faults = [fault.sentence(lang) for fault in RulebookError(self.faults).faults]
        return faults + [_sentence(failure, lang) for failure in self.failures]


def examined(folder: Path) -> Examined:
    """What `check` says of a folder; only such a one without faults can be published."""
    try:
        release = load_rulebook(folder)
        return Examined(release, check_contradictions(folder, release), run_cases(folder, release))
    except RulebookError as error:
        return Examined(None, error.faults, [])


def try_cases(
    folder: Folder = RULES,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="列出没有用例的规则和矩阵格 / Rules and cells no case tries")
    ] = False,
    mutate: Annotated[
        bool, typer.Option("--mutate", help="列出没有用例发现的小改动 / Small changes no case notices")
    ] = False,
    lang: Lang = "zh",
    as_json: AsJson = False,
) -> None:
    """跑全部用例，并查用例够不够 / Run all cases, and ask whether they are enough."""
    release = load_rulebook(folder)
    cases = list(read_cases(folder))
    failures = run_cases(folder, release)
    trial = Trial(
        rule_coverage(release, cases) if coverage else [],
        cell_coverage(release, cases) if coverage else [],
        _unnoticed(release, cases) if mutate else [],
        read_untested(folder),
    )
    if as_json:
        print_json(
            {
                "cases": len(cases),
                "failures": [_failure(failure) for failure in failures],
                "gaps": [reach._asdict() for reach in trial.gaps],
                "unnoticed": trial.unnoticed,
                "excused": {name: reason._asdict() for name, reason in trial.excused.items()},
            }
        )
    else:
        _tell_trial(trial, failures, len(cases), lang, coverage=coverage, mutate=mutate)
    raise typer.Exit(ExitCode.FOUND if failures or trial.gaps or trial.unnoticed else ExitCode.OK)


def format_(
    folder: Folder = RULES,
    only_check: Annotated[
        bool, typer.Option("--check", help="只检查，不改写 / Only say what would change")
    ] = False,
    lang: Lang = "zh",
) -> None:
    """把规则文件排成统一的样子，注释保留 / Lay the rule files out in one way; comments stay."""
    changed = 0
    for path in [*rule_files(folder), *rule_files(folder, cases=True)]:
        text = formatted(folder, path)
        if text.encode() != path.read_bytes():
            changed += 1
            console.print(path.relative_to(folder).as_posix(), markup=False)
            if not only_check:
                path.write_text(text, "utf-8", newline="\n")
    would = Text("应重排", "would change") if only_check else Text("已重排", "changed")
    console.print(f"{changed} {chosen(would, lang)}")
    raise typer.Exit(ExitCode.FOUND if changed and only_check else ExitCode.OK)


def new(
    kind: Annotated[Kind, typer.Argument(help="信息类型、数据资源库或规则 / What to begin")],
    id_: Annotated[str, typer.Argument(metavar="ID", help="名字：小写字母、数字、连字符 / Its id")],
    subject: Annotated[
        str, typer.Option(help="规则判断的表单 / Form a requirement judges")
    ] = "backup-information",
    folder: FolderOption = RULES,
    lang: Lang = "zh",
) -> None:
    """新建规则文件和它的用例 / Begin a rule file and its cases."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,59}", id_):
        raise typer.BadParameter(
            "名字用小写字母、数字、连字符，以字母开头 / use lower-case letters, digits and hyphens"
        )
    release = load_rulebook(folder)
    if kind is Kind.REQUIREMENT and subject not in release.forms:
        fail(ExitCode.NOT_FOUND, Text(f"没有表单 {subject}", f"no form {subject}"))
    files = {
        Kind.CATEGORY: lambda: new_category(release, id_),
        Kind.REPOSITORY: lambda: new_repository(release, id_),
        Kind.REQUIREMENT: lambda: new_requirement(release, id_, subject),
    }[kind]()
    if id_ in release.rules or any((folder / file).exists() for file in files):
        fail(ExitCode.CONFLICT, Text(f"{id_} 已经有了", f"{id_} is there already"))
    for file, text in files.items():
        (folder / file).write_text(text, "utf-8")
        console.print(file)
    if kind is Kind.REPOSITORY:
        console.print(
            chosen(
                Text(
                    "下一步：在 categories 里写明哪种数据递交到这里。",
                    "Next: name it in categories, for the data that goes there.",
                ),
                lang,
            )
        )


def _unnoticed(release: Release, cases: list[Case]) -> list[str]:
    with Progress(console=errors, transient=True) as bar:
        task = bar.add_task("变异 / mutants")

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        return [mutant.id for mutant in survivors(release, cases, progress)]


def _summary(folder: Path, release: Release) -> Text:
    rules, cells, cases = len(release.rules), len(release.cells), len(list(read_cases(folder)))
    return Text(
        f"{release.version}：{rules} 条规则、{cells} 个矩阵格、{cases} 个用例，没有发现问题。",
        f"{release.version}: {rules} rules, {cells} cells, {cases} cases; nothing is wrong.",
    )


def _tell_trial(
    trial: Trial, failures: list[CaseFailure], cases: int, lang: Language, *, coverage: bool, mutate: bool
) -> None:
    for failure in failures:
        console.print(_sentence(failure, lang), style="red", markup=False)
    for reach in trial.gaps:
        console.print(f"{reach.name}: {chosen(_lacks(reach), lang)}", style="yellow", markup=False)
    for name in trial.unnoticed:
        console.print(f"{name}: {chosen(_UNNOTICED, lang)}", style="yellow", markup=False)
    told = [
        Text(f"{cases} 个用例，{len(failures)} 个不符", f"{cases} cases, {len(failures)} come out otherwise")
    ]
    if coverage:
        tried = len(trial.rules) + len(trial.cells)
        told.append(
            Text(f"{tried} 处，{len(trial.gaps)} 处没有用例", f"{tried} places, {len(trial.gaps)} untried")
        )
    if mutate:
        lost, excused = len(trial.unnoticed), len(trial.survivors) - len(trial.unnoticed)
        told.append(
            Text(
                f"{lost} 处小改动没有用例发现，另有 {excused} 处已说明理由",
                f"{lost} small changes go unnoticed, {excused} more with a stated reason",
            )
        )
    for line in told:
        console.print(chosen(line, lang))


_UNNOTICED = Text("没有用例发现这处改动。", "No case notices this change.")


def _lacks(reach: Reach) -> Text:
    if reach.wanted[0] and not reach.accepted:
        return Text("没有用例接受它。", "No case accepts it.")
    return Text("没有用例拒绝它。", "No case refuses it.")


def _sentence(failure: CaseFailure, lang: Language) -> str:
    return f"{failure.file or '—'} “{failure.case}” {chosen(failure.what, lang)}"


def _failure(failure: CaseFailure) -> dict[str, object]:
    return {"file": failure.file, "case": failure.case, "what": failure.what._asdict()}


def _fault(fault: Fault) -> dict[str, object]:
    place = {"file": fault.file, "line": fault.line, "column": fault.column}
    return {**place, "what": fault.what._asdict(), "why": fault.why._asdict(), "mend": fault.mend._asdict()}
