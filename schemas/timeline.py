"""The timeline (时间线) of a case: what happened, as sentences in both languages. No person is named.

Pure: our own records in, entries out. What Temporal's history adds is put into words by `wire.chronicle`.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple
from uuid import UUID

from schemas.errors import ERRORS
from schemas.stages import STAGES, Procedure, instant, short
from schemas.stuck import ACTION_WORDS
from schemas.texts import Text

EntryKind = Literal["act", "state", "message", "operator", "step", "wait", "problem", "workflow"]
Severity = Literal["info", "warning", "error"]


class Entry(NamedTuple):
    """One thing that happened, or is happening.

    Attributes:
        at: When.
        event_id: What it was told by: ``record.<id>`` of the audit trail, ``history.<run id>.<event id>`` of
            the workflow; None for what has not ended.
    """

    at: datetime
    kind: EntryKind
    text: Text
    event_id: str | None = None
    severity: Severity = "info"


class Record(NamedTuple):
    """One event of the audit trail, or one change of a backup's delegate, which has no id."""

    id: int | None
    at: datetime
    act: str
    actor_kind: str
    actor_id: UUID | None
    case_kind: str | None
    reason: str | None
    facts: Mapping[str, Any]


Facts = Mapping[str, Any]

ACTORS: dict[str, Text] = {
    "person": Text("申请人", "Applicant"),
    "unit_administrator": Text("单位管理员", "Unit administrator"),
    "policy": Text("政策人员", "Policy maker"),
    "operator": Text("运维人员", "Operator"),
    "auditor": Text("审计人员", "Auditor"),
    "service": Text("服务系统", "Service system"),
    "system": Text("平台", "Platform"),
}
ACTS: dict[str, Text] = {
    "save_step": Text("保存步骤", "saves a step"),
    "submit": Text("提交", "submits"),
    "withdrawn": Text("撤回草稿", "withdraws the draft"),
    "expired": Text("草稿过期", "the draft expires"),
    "check_deposits": Text("核对递交情况", "checks deposits"),
    "open_correction": Text("建立更正草稿", "opens a correction"),
    "withdraw_number": Text("撤回已编号备份", "withdraws the numbered backup"),
    "claim": Text("提出个人认领", "claims"),
    "ask_for_code": Text("再次获取验证码", "asks for another code"),
    "issue_code": Text("处理验证码", "deals with the code that was asked for"),
    "try_code": Text("填写验证码", "tries a code"),
    "move_claim": Text("移交原备份", "moves old backups"),
    "decide_claim": Text("单位确认", "decides on the claim"),
    "lapse": Text("到期处理", "acts on the deadline"),
    "unit_claim": Text("提出单位认领", "claims for the unit"),
    "approve_unit_claim": Text("复核单位认领", "decides on the unit's claim"),
    "move_unit_claim": Text("移交原备份", "moves old backups"),
    "reverse_unit_claim": Text("撤销单位认领", "undoes the unit's claim"),
    "handover": Text("提出移交", "asks for a handover"),
    "decide_handover": Text("对移交表态", "decides on the handover"),
    "move_handover": Text("移交备份", "hands backups over"),
    "attribution": Text("归入原备份", "attributes old backups"),
    "prior_report": Text("登记事先报告使用了此备份", "records that a prior report used the backup"),
    "rule_diff": Text("比较规则版本", "compares releases"),
    "rule_impact": Text("以新规则重判", "judges submissions anew"),
    "account": Text("账号信息更新", "the account's standing is mirrored"),
    "certificate": Text("取得备份证明", "gets a certificate"),
    "decode": Text("查看流程内容", "reads what a workflow was told"),
    "decode_refused": Text("查看流程内容，未获准", "is refused to read what a workflow was told"),
    **{f"operator_{action}": said for action, said in ACTION_WORDS.items()},
    **{
        f"operator_asks_{action}": Text(f"要求{said.zh}", f"asked to {said.en}")
        for action, said in ACTION_WORDS.items()
    },
}
"""By the kind of operation in the ledger, or the word of the audit trail."""
_SMS: dict[str, Text] = {
    "pending": Text("等待发送", "waits to be sent"),
    "unknown": Text("已交运营商，尚无答复", "was handed to the carrier, which has not answered"),
    "sent": Text("已发出", "was sent"),
    "delivered": Text("已送达", "was delivered"),
    "failed": Text("发送失败", "failed"),
}


def of_record(record: Record) -> Entry:
    """What one of our own records tells."""
    outcome = record.facts.get("outcome") or {}
    refused = outcome.get("refused")
    said = _refused(record.act, refused) if refused else _said(record, outcome)
    actor = ACTORS.get(record.actor_kind, Text(record.actor_kind, record.actor_kind))
    who = "" if record.actor_id is None else f" {short(record.actor_id)}"
    why = "" if not record.reason else f"（{record.reason}）"
    return Entry(
        at=record.at,
        kind=_kind(record),
        text=Text(
            f"{actor.zh}{who}：{said.zh}{why}",
            f"{actor.en}{who}: {said.en}" + (f" ({record.reason})" if record.reason else ""),
        ),
        event_id=None if record.id is None else f"record.{record.id}",
        severity=_severity(record, outcome),
    )


def lasting(time: timedelta) -> Text:
    """A length of time in words, to the unit that matters."""
    seconds = max(0, round(time.total_seconds()))
    for unit, zh, en in ((86_400, "天", "d"), (3_600, "小时", "h"), (60, "分钟", "min")):
        if seconds >= 2 * unit or seconds == unit:
            return Text(f"{round(seconds / unit)} {zh}", f"{round(seconds / unit)} {en}")
    return Text(f"{seconds} 秒", f"{seconds} s")


def _kind(record: Record) -> EntryKind:
    if record.actor_kind == "operator":
        return "operator"
    if record.act.endswith("_state"):
        return "state"
    return "message" if record.act in ("text_message", "reminder") else "act"


def _severity(record: Record, outcome: Facts) -> Severity:
    wrong_code = record.act == "try_code" and outcome.get("accepted") is False
    failed = record.act == "text_message" and record.facts.get("to") == "failed"
    return "warning" if "refused" in outcome or wrong_code or failed else "info"


def _refused(act: str, code: str) -> Text:
    what = _act(act)
    why = ERRORS[code].title if code in ERRORS else Text(code, code)
    return Text(f"{what.zh}，未成：{why.zh}", f"{what.en}; refused: {why.en}")


def _said(record: Record, outcome: Facts) -> Text:
    if record.act in _TOLD:
        return _TOLD[record.act](outcome)
    if record.act.endswith("_state"):
        return _state(record)
    if record.act == "text_message":
        return _message(record.facts)
    if record.act == "reminder":
        at = instant(datetime.fromisoformat(record.facts["expires_at"]))
        return Text(f"提醒委托人：草稿将于 {at.zh}过期", f"reminds the delegate: it expires at {at.en}")
    if record.act.startswith("operator_refused_"):
        return _refused(record.act.replace("refused_", ""), str(record.facts.get("code", "")))
    return _act(record.act)


def _act(act: str) -> Text:
    return ACTS.get("lapse" if act.startswith("lapse_") else act, Text(act, act))


def _saved(outcome: Facts) -> Text:
    saved = outcome.get("saved") or {}
    step, revision = saved.get("step", ""), saved.get("revision", "")
    return Text(f"保存步骤 {step}（第 {revision} 版）", f"saves step {step} (revision {revision})")


def _submitted(outcome: Facts) -> Text:
    verdict = outcome.get("verdict") or {}
    number, errors, awaiting = verdict.get("number"), verdict.get("errors", 0), verdict.get("awaiting") or []
    if number:
        return Text(f"提交，校验合格，备份编号 {number}", f"submits; accepted as backup number {number}")
    if awaiting and not errors:
        missing = ", ".join(awaiting)
        return Text(f"提交，尚未收到递交：{missing}", f"submits; deposits not received yet: {missing}")
    return Text(f"提交，{errors} 处错误，未编号", f"submits; {errors} errors, no number")


def _checked(outcome: Facts) -> Text:
    missing = ", ".join(outcome.get("awaiting") or [])
    if missing:
        return Text(f"核对递交情况：尚未收到 {missing}", f"checks deposits: not received yet: {missing}")
    return Text("核对递交情况：全部收到", "checks deposits: all received")


def _tried(outcome: Facts) -> Text:
    if outcome.get("accepted"):
        return Text("验证码正确", "types the right code")
    if outcome.get("state") == "locked":
        return Text("验证码错误，次数用尽，认领锁定", "types a wrong code, the last try: the claim is locked")
    return Text("验证码错误或失效", "types a wrong or expired code")


def _moved(outcome: Facts) -> Text:
    moved = outcome.get("moved", 0)
    return Text(f"移交 {moved} 份备份", f"moves {moved} backups")


_TOLD: dict[str, Callable[[Facts], Text]] = {
    "save_step": _saved,
    "submit": _submitted,
    "check_deposits": _checked,
    "try_code": _tried,
    "move_claim": _moved,
    "move_unit_claim": _moved,
    "move_handover": _moved,
    "attribution": lambda outcome: Text(
        f"归入 {outcome.get('moved', 0)} 份原备份", f"attributes {outcome.get('moved', 0)} old backups"
    ),
    "delegated": lambda outcome: Text(
        f"委托人由账号 {outcome['from']} 变为账号 {outcome['to']}",
        f"the delegate changes from account {outcome['from']} to account {outcome['to']}",
    ),
}


def _state(record: Record) -> Text:
    procedures: dict[str, Procedure] = {
        "claim": "claim",
        "unit_claim": "unit_claim",
        "handover": "handover",
    }
    stages = STAGES[procedures[record.case_kind]] if record.case_kind in procedures else {}
    before, after = (_title(stages, str(record.facts.get(side, ""))) for side in ("from", "to"))
    return Text(f"{before.zh} → {after.zh}", f"{before.en} → {after.en}")


def _title(stages: Mapping[str, Any], state: str) -> Text:
    if state in stages:
        title: Text = stages[state].title
        return title
    return Text(state, state)


def _message(facts: Facts) -> Text:
    state = str(facts.get("to", ""))
    said, failure = _SMS.get(state, Text(state, state)), facts.get("failure")
    because = f"（{failure}）" if failure else ""
    return Text(f"短信{said.zh}{because}", f"a text message {said.en}" + (f" ({failure})" if failure else ""))
