"""Answers about handovers, in the words of the request's language."""

from typing import Literal
from uuid import UUID

from api import claim_views, views
from rules.engine.procedures import DelegationProcedure
from schemas.delegation import HandoverState
from schemas.errors import Refusal
from schemas.http import delegation as http
from schemas.tables.accounts import Account
from schemas.tables.delegation import Handover
from schemas.texts import Language, Text
from store import claims, handovers
from store.database import Reader
from store.encryption import ColumnCipher
from store.handover_previews import Difference
from store.handovers import Delegated, Holding

FIRST = 50
"""Backups that are shown one by one."""

MESSAGES: dict[HandoverState, Text] = {
    "stored": Text("尚未办理。", "Nothing has been done yet."),
    "waiting_for_approval": Text(
        "备份数量较多，须由本单位另一位管理员复核。",
        "There are many backups: another administrator of the unit has to approve.",
    ),
    "waiting_for_acceptance": Text("等待新委托人接受。", "Waiting for the new delegate to accept."),
    "moving": Text("正在移交。", "The backups are being handed over."),
    "moved": Text("移交完成。", "Done."),
    "changed": Text(
        "备份与预览时不同，未作任何移交。请重新预览。",
        "The backups were no longer those that had been shown; nothing was handed over. Look at the preview "
        "again.",
    ),
    "declined": Text(
        "未获同意，或有关人员已无相应授权，未作任何移交。",
        "It was not agreed to, or somebody is no longer authorised; nothing was handed over.",
    ),
    "lapsed": Text(
        "已超过期限，未作任何移交。请重新发起委托调整。",
        "Its time is up; nothing was handed over. Start anew.",
    ),
}
GONE_ON = Text(
    "撤销完成；其中 {count} 个已转给他人，留在现委托人名下。",
    "Undone. {count} of the backups had gone on to others and stay there.",
)
ELSEWHERE = Text(
    "为其他单位持有的备份，由该单位管理员移交。",
    "Held for other units, whose administrators hand them over.",
)

NOTICES = {
    "handover_given": Text(
        "本单位管理员已将您名下的备份 {count} 个（含草稿）移交给本单位其他人员；{until} 前管理员可撤销。",
        "Your unit's administrator has handed your backups, drafts included, over to a colleague: {count}. "
        "The administrator can undo it until {until}.",
    ),
    "handover_received": Text(
        "本单位管理员已将备份 {count} 个（含草稿）移交到您的名下；{until} 前管理员可撤销。",
        "Your unit's administrator has handed backups, drafts included, over to you: {count}. The "
        "administrator can undo it until {until}.",
    ),
    "handover_to_approve": Text(
        "本单位管理员发起移交备份 {count} 个，请复核。",
        "An administrator of your unit wants to hand backups over: {count}. Please approve or decline.",
    ),
    "handover_to_accept": Text(
        "本单位管理员拟将备份 {count} 个移交到您的名下，请决定是否接受。",
        "An administrator of your unit wants to hand backups over to you: {count}. Please accept or decline.",
    ),
    "handover_declined": Text(
        "您发起的移交未获同意，或有关人员已无相应授权，未作任何移交。",
        "Your handover was not agreed to, or somebody is no longer authorised; nothing was handed over.",
    ),
    "handover_changed": Text(
        "您发起的移交未完成：备份与预览时不同，未作任何移交。请重新预览。",
        "Your handover was not made: the backups are no longer those that were shown. Look at the preview "
        "again.",
    ),
    "handover_lapsed": Text(
        "您发起的移交超过期限，未作任何移交。", "The time of your handover is up; nothing was handed over."
    ),
}
"""What accounts are told of handovers, by kind of notice; the words in braces are its facts."""

By = Literal["creation", "correction", "attribution", "claim", "unit_claim", "handover"]
_BY: dict[str, By] = {
    "save_step": "creation",
    "open_correction": "correction",
    "attribution": "attribution",
    "move_claim": "claim",
    "decide_claim": "claim",
    "move_unit_claim": "unit_claim",
    "move_handover": "handover",
}
"""How a backup came to somebody, by the kind of the operation."""


def preview(
    reader: Reader,
    cipher: ColumnCipher,
    policy: DelegationProcedure,
    holding: Holding,
    to: UUID,
    language: Language,
) -> http.PreviewView:
    """What a handover would do at the moment that the reader sees.

    Raises:
        Refusal: ``nothing_to_hand_over``, alike for an account that does not exist; ``same_delegate``,
            ``delegate_not_a_member``.
    """
    held = handovers.look(reader.connection(), holding)
    old = reader.get(Account, holding.delegate_id)
    if not held.total or old is None:
        raise Refusal("nothing_to_hand_over")
    if to == holding.delegate_id:
        raise Refusal("same_delegate", pointer="/to")
    if not claims.is_member(reader, holding.unit_code, to):
        raise Refusal("delegate_not_a_member", pointer="/to")
    new = reader.get_one(Account, to)
    same_name = claims.members(reader, holding.unit_code, new.name_index) if new.name_index else []
    elsewhere = handovers.held_elsewhere(reader, holding)
    why = http.Staying(
        reason="held_for_other_units", backups=elsewhere, message=views.spoken(ELSEWHERE, language)
    )
    return http.PreviewView(
        from_=claim_views.member(cipher, old),
        to=claim_views.member(cipher, new),
        namesakes=[claim_views.member(cipher, row) for row in same_name if row.id != to],
        backups=held.total,
        states=handovers.by_state(reader, holding),
        first=[views.backup_summary(row) for row in handovers.newest(reader, holding, FIRST)],
        staying=[why] if elsewhere else [],
        consents=list(policy.consents(held.total)),
        digest=held.digest,
    )


def difference(found: Difference) -> http.DifferenceView:
    """What came and what went since a preview."""
    return http.DifferenceView(
        came=found.came.total,
        came_first=[views.backup_summary(row) for row in found.came.first],
        went=found.went.total,
        went_first=[views.backup_summary(row) for row in found.went.first],
    )


def handover(reader: Reader, row: Handover, language: Language) -> http.HandoverView:
    """A handover."""
    message = MESSAGES[row.state]
    if row.state == "moved" and row.gone_on:
        message = GONE_ON.fill(count=str(row.gone_on))
    return http.HandoverView(
        id=row.id,
        state=row.state,
        message=views.spoken(message, language),
        administrator_id=row.account_id,
        from_=row.from_id,
        to=row.to_id,
        approver_id=row.approver_id,
        backups=row.backups,
        moved=row.moved,
        gone_on=row.gone_on,
        gone_on_first=list(handovers.gone_on(reader, row, FIRST)) if row.gone_on else [],
        undoes=row.undoes,
        undone_by=handovers.undone_by(reader, row.id) if row.state == "moved" else None,
        undo_until=row.undo_until,
        decide_by=row.due_at,
        created_at=row.created_at,
        closed_at=row.closed_at,
    )


def delegation(cipher: ColumnCipher, found: Delegated, unit_code: str) -> http.DelegationView:
    """One delegation of a backup, as somebody of this unit is shown it."""
    name = None
    if found.delegation.unit_code == unit_code and found.delegate.name is not None:
        full = cipher.decrypt(found.delegate.name, "account", "name", found.delegate.id)
        name = claim_views.masked_name(full)
    return http.DelegationView(
        name=name,
        unit_name=found.unit_name,
        since=found.delegation.since,
        until=found.delegation.until,
        by=_BY[found.operation],
    )
