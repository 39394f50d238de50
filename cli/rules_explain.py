"""``hgrip rules explain | what``: why a record is accepted or refused, and what may go where."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from cli.rules_check import RULES
from cli.terminal import AsJson, ExitCode, FolderOption, Lang, chosen, console, fail, print_json
from rules.engine.dialect import nearest
from rules.engine.explain import Look, Outcome, called, explain, subject_of, what_may_go
from rules.engine.judge import Judge, verdict
from rules.engine.load import load_rulebook
from rules.engine.release import Release
from rules.engine.sentences import basis
from schemas.findings import Finding
from schemas.texts import Language, Text

_OUTCOMES: dict[Outcome, Text] = {
    "speaks": Text("不满足", "is not met"),
    "satisfied": Text("满足", "is met"),
    "silent": Text("不适用", "does not apply"),
}
_VERDICTS = {"accepted": Text("接受", "accepted"), "refused": Text("拒绝", "refused")}


def register(app: typer.Typer) -> None:
    """Add these commands to ``hgrip rules``."""
    app.command("explain")(explain_)
    app.command()(what)


def explain_(
    file: Annotated[str, typer.Argument(help="一条记录的 JSON 文件，或 - / A record as JSON, or -")],
    subject: Annotated[
        str | None, typer.Option(help="判断对象，可不写 / What it is; may be left out")
    ] = None,
    folder: FolderOption = RULES,
    every: Annotated[
        bool, typer.Option("--all", help="也列出不适用的规则 / Also rules that do not apply")
    ] = False,
    lang: Lang = "zh",
    as_json: AsJson = False,
) -> None:
    """为什么接受或拒绝：逐条列出看过它的规则和依据 / Why a record is accepted or refused, rule by rule."""
    record = _record(file)
    release = load_rulebook(folder)
    judge = Judge(release)
    asked = subject or subject_of(release, record)
    if asked not in release.subjects:
        advice = nearest(asked, sorted(release.subjects))
        fail(
            ExitCode.NOT_FOUND, Text(f"没有判断对象 {asked}。{advice.zh}", f"no subject {asked}. {advice.en}")
        )
    looks = [look for look in explain(judge, asked, record) if every or look.outcome != "silent"]
    result = verdict(judge.judge(asked, record))
    if as_json:
        print_json(
            {"subject": asked, "verdict": result, "looks": [_look(release, look, lang) for look in looks]}
        )
    else:
        for look in looks:
            _tell(release, look, lang)
        console.print(f"{asked}: {chosen(_VERDICTS[result], lang)}", style="bold")
    raise typer.Exit(ExitCode.FOUND if result == "refused" else ExitCode.OK)


def what(
    name: Annotated[str, typer.Argument(help="数据资源库或信息类型 / A repository or a category")],
    folder: FolderOption = RULES,
    lang: Lang = "zh",
    as_json: AsJson = False,
) -> None:
    """哪些数据可以递交到这个库，或这类数据递交到哪里 / What may go where."""
    release = load_rulebook(folder)
    id_, close = called(release, name)
    if id_ is None:
        advice = nearest(close or name, [*release.repositories, *release.categories])
        fail(ExitCode.NOT_FOUND, Text(f"没有“{name}”。{advice.zh}", f"There is no “{name}”. {advice.en}"))
    ways = what_may_go(release, id_)
    if as_json:
        print_json([way._asdict() for way in ways])
        return
    table = Table(box=None)
    for column in (
        Text("信息类型", "category"),
        Text("数据类型", "data type"),
        Text("数据资源库", "repository"),
        Text("文件格式", "formats"),
    ):
        table.add_column(chosen(column, lang), overflow="fold")
    for way in ways:
        kind = f" ({chosen(way.kind, lang)})" if way.kind else ""
        formats = sorted({name for taken in way.formats.values() for name in taken})
        table.add_row(
            chosen(way.category, lang),
            chosen(way.data_type, lang) + kind,
            ", ".join(way.repositories),
            ", ".join(formats),
        )
    console.print(table)


def _record(file: str) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8-sig")
        record = json.loads(text)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise typer.BadParameter("应为一个 UTF-8 编码的 JSON 对象 / it must be one JSON object in UTF-8")
    return record


def _look(release: Release, look: Look, lang: Language) -> dict[str, object]:
    rule = release.rules.get(look.rule)
    return {
        "rule": look.rule,
        "outcome": look.outcome,
        "places": [finding.pointer for finding in look.findings],
        "severity": rule.severity if rule else None,
        "message": chosen(rule.message, lang) if rule and look.findings else None,
        "basis": _basis(release, look, lang),
    }


def _tell(release: Release, look: Look, lang: Language) -> None:
    style = "red" if look.findings else "green" if look.outcome == "satisfied" else "dim"
    places = " ".join(finding.pointer for finding in look.findings)
    console.print(
        f"{look.rule} {chosen(_OUTCOMES[look.outcome], lang)} {places}".rstrip(), style=style, markup=False
    )
    if look.findings:
        console.print(f"  {chosen(release.rules[look.rule].message, lang)}", markup=False)
    for line in _basis(release, look, lang):
        console.print(f"  {line}", style="dim", markup=False)


def _basis(release: Release, look: Look, lang: Language) -> list[str]:
    if look.rule not in release.rules:
        return []
    finding = Finding(look.rule, release.rules[look.rule].severity, "")
    between = "" if lang == "zh" else ", "
    return [f"{text.title}{between}{text.article}" for text in basis(release, finding, lang)]
