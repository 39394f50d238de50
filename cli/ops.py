"""``hgrip ops``: what is stuck, where a case stands, and what is done about it."""

import os
from typing import Annotated, Any, cast

import typer

from cli.operator_acts import Chosen, act, stuck_lines
from cli.operator_desk import Desk, RefusedError
from cli.terminal import AsJson, ExitCode, Lang, Workbench, console, errors, fail, print_json
from cli.timeline import print_timeline
from schemas.stuck import CAUSES, Action
from schemas.texts import Language, Text


class Told(Workbench):
    """Ends a command that the API refused with its sentence."""

    def invoke(self, context: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(context)
        except RefusedError as refused:
            errors.print(refused.sentence, style="red", markup=False)
            raise typer.Exit(refused.exit_code) from None


app = typer.Typer(cls=Told, no_args_is_help=True, help="运维：查看并处理滞留事项 / Operators: stuck work")


@app.callback()
def desk(
    context: typer.Context,
    api: Annotated[
        str, typer.Option(envvar="HGRIP_API_URL", help="API 地址 / Address of the API")
    ] = "http://127.0.0.1:8080",
    lang: Lang = "zh",
) -> None:
    """运维：查看并处理滞留事项 / Operators: what is stuck, and what is done about it."""
    token = os.environ.get("HGRIP_TOKEN", "")  # no option: everybody sees those of a running command
    if not token:
        fail(
            ExitCode.USAGE,
            Text(
                "缺少运维令牌：请设环境变量 HGRIP_TOKEN（开发环境：hgrip token --role operator）。",
                "no operator's token: set HGRIP_TOKEN (for development: hgrip token --role operator).",
            ),
        )
    context.obj = (Desk(api, token, lang), lang)


Case = Annotated[
    str | None, typer.Argument(help="办理编号；不写则按条件批量 / Id of the case; else by query")
]
OneCase = Annotated[str, typer.Argument(help="办理编号 / Id of the case")]
Reason = Annotated[str, typer.Option(help="理由，勿写姓名和号码 / Why; no names, no numbers", prompt=True)]
Cause = Annotated[str | None, typer.Option(help=f"原因 / One of: {', '.join(CAUSES)}")]
Kind = Annotated[str | None, typer.Option(help="类别 / Kind of case: backup, claim, handover …")]
Unit = Annotated[str | None, typer.Option(help="统一社会信用代码 / Unit code")]
Count = Annotated[int | None, typer.Option(help="批量件数，用以确认 / How many, as a confirmation")]
Yes = Annotated[bool, typer.Option("--yes", help="确认不可撤销的操作 / Confirm what cannot be undone")]


@app.command()
def stuck(
    context: typer.Context,
    cause: Cause = None,
    kind: Kind = None,
    unit: Unit = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="最多条数 / How many at most")] = 50,
    as_json: AsJson = False,
) -> None:
    """列出滞留事项，最严重的在前 / List what is stuck, the worst first."""
    at, _ = _at(context)
    query = {"cause": cause, "kind": kind, "unit": unit, "page_size": limit}
    page = at.get("/v1/ops/stuck", query)
    if as_json:
        print_json(page)
        return
    for line in stuck_lines(page["stuck"]):
        console.print(line, markup=False)
    console.print(f"共 {page['total']} 项 / {page['total']} in all")


@app.command()
def show(context: typer.Context, case: OneCase, as_json: AsJson = False) -> None:
    """查看一项办理：等什么、为什么、可以怎么办 / One case: what it waits for, and what can be done."""
    at, _ = _at(context)
    view = at.get(f"/v1/ops/cases/{case}", {})
    if as_json:
        print_json(view)
        return
    console.print(
        f"{view['case_kind']} {view['case_id']}  {view['state']}  [{view['workflow']}]", markup=False
    )
    for row in view["stuck"]:
        console.print(
            f"! {row['title']} {row['activity']} {row['failure'] or ''} ×{row['attempt']}", style="red"
        )
        console.print(f"  {row['meaning']}\n  {row['advice']}", markup=False)
        actions = "、".join(f"{each['action']}（{each['title']}）" for each in row["actions"])
        console.print(f"  → {actions}", markup=False)
    for each in view["pending"]:
        console.print(f"… {each['activity']} ×{each['attempt']} {each['failure'] or ''}", markup=False)
    for each in view["acts"]:
        done = f"{each['at']} {each['title']}（{each['result']}）：{each['reason']}"
        console.print(done, style="dim", markup=False)
    points = " ".join(str(point["event_id"]) for point in view["reset_points"])
    console.print(f"可重置的事件 / reset points: {points}", markup=False)


@app.command()
def timeline(context: typer.Context, case: OneCase, as_json: AsJson = False) -> None:
    """一项办理的经过，逐句 / What happened to one case, sentence by sentence."""
    at, spoken = _at(context)
    print_timeline(at.get, case, spoken, as_json=as_json)


@app.command()
def retry(
    context: typer.Context,
    reason: Reason,
    case: Case = None,
    cause: Cause = None,
    kind: Kind = None,
    unit: Unit = None,
    count: Count = None,
    as_json: AsJson = False,
) -> None:
    """立即重试 / Try again now: a blocked step, a failing one, or a look-up."""
    chosen = _chosen(context, case, cause, kind, unit, count, as_json)
    act(chosen, "retry", {"reason": reason}, yes=False)


@app.command()
def unblock(
    context: typer.Context,
    reason: Reason,
    case: Case = None,
    how: Annotated[str, typer.Option(help="retry、skip 或 return_to_applicant")] = "retry",
    yes: Yes = False,
    cause: Cause = None,
    kind: Kind = None,
    unit: Unit = None,
    count: Count = None,
    as_json: AsJson = False,
) -> None:
    """解除受阻：重试、跳过或退回申请人 / Resolve a block: retry, skip, or return to the applicant."""
    if how not in ("retry", "skip", "return_to_applicant"):
        raise typer.BadParameter("retry, skip, return_to_applicant", param_hint="--how")
    chosen = _chosen(context, case, cause or (None if case else "blocked"), kind, unit, count, as_json)
    act(chosen, cast(Action, how), {"reason": reason}, yes=yes)


@app.command()
def pause(
    context: typer.Context,
    reason: Reason,
    case: Case = None,
    cause: Cause = None,
    kind: Kind = None,
    unit: Unit = None,
    count: Count = None,
    as_json: AsJson = False,
) -> None:
    """暂停；期间申请人的请求答以 423 / Pause: requests are answered 423 meanwhile."""
    chosen = _chosen(context, case, cause, kind, unit, count, as_json)
    act(chosen, "pause", {"reason": reason}, yes=False)


@app.command()
def resume(
    context: typer.Context,
    reason: Reason,
    case: Case = None,
    cause: Cause = None,
    kind: Kind = None,
    unit: Unit = None,
    count: Count = None,
    as_json: AsJson = False,
) -> None:
    """恢复已暂停的办理 / Resume what was paused."""
    chosen = _chosen(context, case, cause, kind, unit, count, as_json)
    act(chosen, "resume", {"reason": reason}, yes=False)


@app.command()
def reset(
    context: typer.Context,
    case: OneCase,
    event: Annotated[int, typer.Option(min=1, help="事件编号，见 show / Event, as show lists them")],
    reason: Reason,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """重置到某一点，其后重新进行 / Reset to a point, and go on from there."""
    chosen = _chosen(context, case, None, None, None, None, as_json)
    act(chosen, "reset", {"reason": reason, "event_id": event}, yes=yes)


@app.command()
def support(
    context: typer.Context,
    case: OneCase,
    reason: Reason,
    ticket: Annotated[
        str | None, typer.Option(help="工单号；不写则收回 / Ticket; without one, take it back")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """转技术支持，或从那里收回 / Hand a case to support, or take it back."""
    chosen = _chosen(context, case, None, None, None, None, as_json)
    action: Action = "hand_to_support" if ticket else "take_back"
    act(chosen, action, {"reason": reason, "reference": ticket}, yes=False)


def _at(context: typer.Context) -> tuple[Desk, Language]:
    return cast(tuple[Desk, Language], context.obj)


def _chosen(
    context: typer.Context,
    case: str | None,
    cause: str | None,
    kind: str | None,
    unit: str | None,
    count: int | None,
    as_json: bool,
) -> Chosen:
    query = {"cause": cause, "kind": kind, "unit": unit}
    if (case is None) == (not any(query.values())):
        fail(
            ExitCode.USAGE,
            Text(
                "请写明一个办理编号，或者批量条件（--cause、--kind、--unit）之一。",
                "name one case, or a query (--cause, --kind, --unit), not both.",
            ),
        )
    return Chosen(_at(context)[0], case, query, count, as_json)
