"""Acting on one case, or on all that a query finds: shown before, and confirmed by their number."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import typer

from cli.operator_desk import Desk, RefusedError
from cli.terminal import ExitCode, console, errors, fail, print_json
from schemas.stuck import ACTION_WORDS, DANGEROUS, Action
from schemas.texts import Text

PAGE = 200
SHOWN = 10
"""Cases of a batch that are shown before it is confirmed."""


class Chosen(NamedTuple):
    """Which cases a command is about: one, or those that a query finds."""

    desk: Desk
    case: str | None
    query: dict[str, str | None]
    expected: int | None
    as_json: bool


def act(chosen: Chosen, action: Action, said: dict[str, Any], *, yes: bool) -> None:
    """Act on one case, or, once the number of cases is typed, on each that the query finds."""
    body = {**said, "action": action}
    if action in DANGEROUS:
        words = ACTION_WORDS[action]
        body["confirmed"] = yes or typer.confirm(
            f"{words.zh}不可撤销 / {words.en} cannot be undone", err=True
        )
    if chosen.case is not None:
        seen = chosen.desk.get(f"/v1/ops/cases/{chosen.case}", {})
        view = chosen.desk.act(chosen.case, seen["revision"], body)
        _tell(view, action, as_json=chosen.as_json)
        return
    rows = {row["case_id"]: row for row in _found(chosen)}
    _confirm(chosen, list(rows.values()))
    refused = []
    for case_id, row in rows.items():
        try:
            chosen.desk.act(case_id, row["revision"], body)
        except RefusedError as error:
            refused.append({"case_id": case_id, "code": error.code})
    _tell_batch(len(rows), refused, as_json=chosen.as_json)


def _found(chosen: Chosen) -> Iterator[dict[str, Any]]:
    query: dict[str, Any] = {**chosen.query, "page_size": PAGE}
    while True:
        page = chosen.desk.get("/v1/ops/stuck", query)
        yield from page["stuck"]
        query["page_token"] = page["pagination"]["next_page_token"]
        if query["page_token"] is None:
            return


def _confirm(chosen: Chosen, rows: list[dict[str, Any]]) -> None:
    """Show what a batch is about, and go on only when its number is typed."""
    for line in stuck_lines(rows[:SHOWN]):
        errors.print(line, markup=False)
    errors.print(f"共 {len(rows)} 项办理 / {len(rows)} cases")
    if not rows:
        raise typer.Exit(ExitCode.NOT_FOUND)
    typed = chosen.expected
    if typed is None:
        typed = typer.prompt("输入件数以确认 / Type how many to confirm", type=int, err=True)
    if typed != len(rows):
        fail(
            ExitCode.CONFLICT,
            Text(f"件数不符（现为 {len(rows)}），未作处理。", f"there are {len(rows)}; nothing was done."),
        )


def _tell(view: dict[str, Any], action: Action, *, as_json: bool) -> None:
    if as_json:
        print_json(view)
        return
    words = ACTION_WORDS[action]
    console.print(f"已{words.zh} / done: {words.en}  {view['case_id']}  [{view['workflow']}]", markup=False)


def _tell_batch(total: int, refused: list[dict[str, str]], *, as_json: bool) -> None:
    done = total - len(refused)
    if as_json:
        print_json({"done": done, "refused": refused})
    else:
        console.print(f"完成 {done} 项，拒绝 {len(refused)} 项 / done {done}, refused {len(refused)}")
        for each in refused:
            console.print(f"  {each['case_id']}  {each['code']}", style="red", markup=False)
    if refused:
        raise typer.Exit(ExitCode.REFUSED)


def stuck_lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Stuck work in two lines each, whole in a narrow terminal: ids are copied into the next command."""
    for row in rows:
        step = f" · {row['activity']} ×{row['attempt']}" if row["activity"] else ""
        failure = f" · {row['failure']}" if row["failure"] else ""
        support = f" → {row['support']}" if row["support"] else ""
        yield f"{row['case_id']}  {row['case_kind']}  {row['title']}{step}{failure}"
        yield f"    {row['since'][:19]} 起 / since · {row['people']} 人 / people{support}"
