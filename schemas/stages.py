"""Stages (阶段) of a case in words for operators: where it stands, what it waits for, and what happens then.

Person-free by construction: constants, ids, numbers and dates. Chinese first.
"""

from datetime import datetime, timedelta, timezone
from typing import Literal, NamedTuple
from uuid import UUID

from schemas.texts import Text

CHINA = timezone(timedelta(hours=8))

Procedure = Literal["backup", "claim", "unit_claim", "handover"]


class Stage(NamedTuple):
    """One stage of one procedure.

    Attributes:
        title: Its name.
        waits: Who or what has to act; empty when the case is over.
        then: What happens by itself at the deadline; empty when nothing does.
    """

    title: Text
    waits: Text = Text("", "")
    then: Text = Text("", "")


_OPENING = Stage(
    Text("正在受理", "Being opened"),
    Text("平台记录这次申请", "the platform to record the request"),
    Text("按未受理结束", "it ends as not opened"),
)
_CODE = Text("填写短信验证码", "the code of the text message")
_LAPSE = Text("失效", "it lapses")
_LAPSED = Stage(Text("已失效", "Lapsed"))
_LOCKED = Stage(Text("已锁定：验证码错误次数过多", "Locked: too many wrong codes"))
_DECLINED = Stage(Text("未获同意", "Declined"))
_MOVING = Stage(
    Text("正在移交", "Backups are being moved"), Text("数据库事务完成", "one database transaction")
)
_ALREADY = Stage(Text("此前均已移交", "All had been moved before"))
_REVERSED = Stage(Text("已撤销", "Undone"))
_APPROVAL = Stage(
    Text("等待复核", "Waiting for approval"),
    Text("本单位另一名管理员复核", "a second administrator of the unit"),
    _LAPSE,
)

STAGES: dict[Procedure, dict[str, Stage]] = {
    "backup": {
        "draft": Stage(
            Text("草稿", "Draft"),
            Text("委托人保存或提交", "its delegate to save or submit"),
            Text("提醒委托人，或者过期", "its delegate is reminded, or it expires"),
        ),
        "waiting_for_deposit": Stage(
            Text("等待递交", "Waiting for deposit"),
            Text("数据资源库收到数据", "repositories to receive the data"),
            Text(
                "再次查询，或提醒、过期", "they are asked again; or the delegate is reminded, or it expires"
            ),
        ),
        "numbered": Stage(Text("已编号", "Numbered")),
        "withdrawn": Stage(Text("已撤回", "Withdrawn")),
        "expired": Stage(Text("已过期", "Expired")),
        "superseded": Stage(Text("已更正：由新版本取代", "Corrected: a later version stands")),
        "refused": Stage(Text("未建成：首次保存被拒绝", "Not opened: its first save was refused")),
    },
    "claim": {
        "stored": _OPENING,
        "waiting_for_code": Stage(Text("等待验证码", "Waiting for a code"), _CODE, _LAPSE),
        "moving": _MOVING,
        "waiting_for_unit": Stage(
            Text("等待单位确认", "Waiting for a unit"),
            Text("原登记单位的管理员确认", "an administrator of the unit on record"),
            _LAPSE,
        ),
        "moved": Stage(Text("已认领", "Claimed")),
        "already_moved": _ALREADY,
        "declined": _DECLINED,
        "locked": _LOCKED,
        "lapsed": _LAPSED,
    },
    "unit_claim": {
        "stored": _OPENING,
        "waiting_for_code": Stage(Text("等待管理员验证码", "Waiting for a code"), _CODE, _LAPSE),
        "waiting_for_approval": _APPROVAL,
        "moving": _MOVING,
        "moved": Stage(
            Text("已认领", "Claimed"),
            Text("管理员可以撤销", "nothing; an administrator may undo it"),
            Text("不能再撤销，办结", "it can no longer be undone, and ends"),
        ),
        "already_moved": _ALREADY,
        "declined": _DECLINED,
        "locked": _LOCKED,
        "lapsed": _LAPSED,
        "not_matched": Stage(Text("信息不符", "No such record")),
        "reversed": _REVERSED,
    },
    "handover": {
        "stored": _OPENING,
        "waiting_for_approval": _APPROVAL,
        "waiting_for_acceptance": Stage(
            Text("等待接受", "Waiting for acceptance"), Text("新委托人接受", "the new delegate"), _LAPSE
        ),
        "moving": _MOVING,
        "moved": Stage(Text("已移交", "Handed over")),
        "changed": Stage(
            Text("未移交：备份已有变化", "Nothing moved: the backups were others by then"),
        ),
        "declined": _DECLINED,
        "lapsed": _LAPSED,
    },
}
"""By procedure and state. The states are those of `schemas.claims`, `schemas.delegation` and of backups."""


def instant(at: datetime) -> Text:
    """A moment in China, to the minute."""
    there = at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M")
    return Text(f"{there}（北京时间）", f"{there} (China)")


def short(case_id: UUID) -> str:
    """Enough of an id to tell cases apart."""
    return str(case_id)[:8]


def open_lines(awaiting: list[str], expires_at: datetime | None) -> list[Text]:
    """What there is to say of an open draft besides its stage: repositories awaited, and when it expires."""
    lines = []
    if awaiting:
        repositories = ", ".join(awaiting)
        lines.append(Text(f"尚未收到：{repositories}", f"Not received yet: {repositories}"))
    if expires_at is not None:
        at = instant(expires_at)
        lines.append(Text(f"若不再保存，{at.zh}过期", f"Expires at {at.en} unless it is saved"))
    return lines


def closed_lines(number: str | None) -> list[Text]:
    """What there is to say of a closed backup besides its stage."""
    return [] if number is None else [Text(f"备份编号 {number}", f"Backup number {number}")]


def standing(procedure: Procedure, state: str, due_at: datetime | None, *more: Text) -> str:
    """Where a case stands, as the Web UI of Temporal shows it: Markdown, Chinese first.

    Args:
        procedure: What kind of case it is.
        state: Its stage.
        due_at: When something happens by itself.
        more: Further lines.
    """
    stage = STAGES[procedure][state]
    lines = [
        *([Text(f"等待：{stage.waits.zh}", f"Waits for: {stage.waits.en}")] if stage.waits.zh else []),
        *([_due(stage, due_at)] if due_at is not None and stage.then.zh else []),
        *more,
    ]
    return "\n\n".join(
        "\n".join([f"**{title}**", "", *(f"- {line}" for line in said)]).rstrip()
        for title, said in (
            (stage.title.zh, [line.zh for line in lines]),
            (stage.title.en, [line.en for line in lines]),
        )
    )


def _due(stage: Stage, due_at: datetime) -> Text:
    at = instant(due_at)
    return Text(f"到 {at.zh}：{stage.then.zh}", f"At {at.en}: {stage.then.en}")
