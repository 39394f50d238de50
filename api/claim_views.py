"""Answers about claims, in the words of the request's language."""

from schemas.claims import ClaimState
from schemas.http import claims as http
from schemas.tables.accounts import Account
from schemas.tables.claims import Claim, ClaimConfirmation, UnitClaim
from schemas.texts import Language, Text
from store import claims
from store.database import Reader
from store.encryption import ColumnCipher

OPENED = Text(
    "如信息与原系统登记一致，验证码将在 1 分钟内发送到登记的手机号。"
    "未收到时请核对信息，或通过本单位管理员认领。",
    "If this is what the old platform has on record, a code arrives on the phone on record within a minute. "
    "If none comes, check what you typed, or ask your unit's administrator to claim for you.",
)
MESSAGES: dict[ClaimState, Text] = {
    "waiting_for_code": Text(
        "请填写收到的验证码。未收到时请核对信息，或在 60 秒后重新获取。",
        "Type the code you received. If none came, check what you typed, or ask for another after 60 "
        "seconds.",
    ),
    "waiting_for_approval": Text(
        "备份数量较多，须由本单位另一位管理员复核。",
        "There are many backups: another administrator of the unit has to approve.",
    ),
    "moving": Text("正在移交。", "The backups are being moved."),
    "waiting_for_unit": Text(
        "登记单位与您现在的单位不同的备份，须由登记单位的管理员确认。",
        "What is on record of another unit than yours waits for that unit's administrator.",
    ),
    "moved": Text(
        "认领完成。没有备份编号的草稿不能认领。",
        "Done. Drafts cannot be claimed: they have no backup number.",
    ),
    "already_moved": Text(
        "这些备份此前已被认领或归入。如非您本人或本单位所为，请联系备份服务。",
        "These backups had been moved before. If that was neither you nor your unit, contact the backup "
        "service.",
    ),
    "declined": Text(
        "未获确认，未移交任何备份。如有疑问，请联系登记单位或备份服务。",
        "It was not agreed to, and nothing was moved. Ask the unit on record or the backup service.",
    ),
    "locked": Text(
        "验证码多次不正确，该认领已锁定。请重新发起认领。",
        "Too many wrong codes: the claim is locked. Start a new one.",
    ),
    "lapsed": Text("已超过期限，请重新发起认领。", "Its time is up. Start a new claim."),
    "not_matched": Text(
        "信息与本单位的登记不一致，或没有可认领的备份。",
        "This is not what is on record of your unit, or there is nothing to claim.",
    ),
    "reversed": Text("已撤销，备份已退回。", "Undone: nobody holds the backups again."),
}
CHECKED = Text(
    "信息校验无误。请填写发送到您本人手机的验证码。",
    "Name and phone match. Type the code that was sent to your own phone.",
)

NOTICES = {
    "claim_moved": Text(
        "您认领的原备份已移交到您的账号：{count} 个；没有备份编号的草稿 {drafts} 个不能认领。",
        "The old backups you claimed are in your account: {count}. Drafts without a number, which cannot be "
        "claimed: {drafts}.",
    ),
    "claim_already_moved": Text(
        "您认领的原备份此前已被认领或归入。如非您本人或本单位所为，请联系备份服务。",
        "The old backups you claimed had been moved before. If that was neither you nor your unit, contact "
        "the backup service.",
    ),
    "claim_declined": Text(
        "您认领的原备份未获登记单位确认，未作移交。",
        "The unit on record did not agree to your claim; nothing moved.",
    ),
    "claim_lapsed": Text(
        "您认领的原备份在期限内未获登记单位确认，未作移交。",
        "The unit on record did not decide on your claim in time; nothing moved.",
    ),
    "unit_confirmation_asked": Text(
        "其他单位人员认领登记在本单位名下的原备份 {count} 个，请确认。",
        "Somebody of another unit claims old backups on record of yours: {count}. Please decide.",
    ),
    "unit_claim_to_approve": Text(
        "本单位管理员认领原备份 {count} 个，请复核。",
        "An administrator of your unit claims old backups: {count}. Please approve or decline.",
    ),
    "unit_claim_declined": Text("您发起的单位认领未通过复核。", "Your claim for the unit was not approved."),
    "unit_claim_moved": Text(
        "本单位管理员已为本单位人员认领原备份 {count} 个；{until} 前可撤销。",
        "An administrator of your unit has claimed old backups for one of its people: {count}. It can be "
        "undone until {until}.",
    ),
    "unit_claim_received": Text(
        "本单位管理员已将原备份 {count} 个认领到您的账号。",
        "An administrator of your unit has claimed old backups for your account: {count}.",
    ),
    "unit_claim_reversed": Text(
        "单位认领已撤销，原备份 {count} 个已退回。",
        "A claim by your unit was undone; old backups given back: {count}.",
    ),
}
"""What accounts are told of claims, by kind of notice; the words in braces are its facts."""


def say(text: Text, language: Language) -> str:
    """A text in one language."""
    return text.zh if language == "zh" else text.en


def claim(reader: Reader, row: Claim, language: Language) -> http.ClaimView:
    """A claim by a person."""
    waiting = len(claims.waiting_confirmations(reader, row.id)) if row.state == "waiting_for_unit" else 0
    return http.ClaimView(
        id=row.id,
        state=row.state,
        message=say(MESSAGES[row.state], language),
        moved=row.moved,
        already_moved=row.already_moved,
        drafts_left=row.drafts_left,
        waiting_for_units=waiting,
        created_at=row.created_at,
        closed_at=row.closed_at,
        backups="/v1/backups?state=numbered" if row.moved else None,
    )


def unit_claim(row: UnitClaim, language: Language) -> http.UnitClaimView:
    """A claim by a unit."""
    message = CHECKED if row.state == "waiting_for_code" else MESSAGES[row.state]
    return http.UnitClaimView(
        id=row.id,
        state=row.state,
        message=say(message, language),
        administrator_id=row.account_id,
        delegate_id=row.delegate_id,
        approver_id=row.approver_id,
        backups=row.backups,
        moved=row.moved,
        already_moved=row.already_moved,
        drafts_left=row.drafts_left,
        created_at=row.created_at,
        closed_at=row.closed_at,
        reversible_until=row.due_at if row.state == "moved" else None,
    )


def member(cipher: ColumnCipher, row: Account) -> http.MemberView:
    """One of a unit's people, found by the whole name; of the phone what tells people of one name apart."""
    name, phone = _person(cipher, row)
    return http.MemberView(account_id=row.id, name=name, phone=masked_phone(phone))


def unit_confirmation(
    reader: Reader, cipher: ColumnCipher, asked: ClaimConfirmation, row: Claim, claimant: Account
) -> http.UnitConfirmationView:
    """What a unit is asked to decide."""
    name, phone = _person(cipher, claimant)
    return http.UnitConfirmationView(
        claim_id=row.id,
        name=masked_name(name),
        phone=masked_phone(phone),
        unit_name=claims.unit_name(reader, claimant.unit_code),
        backups=asked.backups,
        asked_at=asked.asked_at,
        decide_by=asked.decide_by,
    )


def masked_name(name: str) -> str:
    """The first character of a name, and how many follow."""
    return name[:1] + "*" * (len(name) - 1)


def masked_phone(phone: str) -> str:
    """Country code and first digits, and the last four."""
    return f"{phone[:6]}****{phone[-4:]}"


def _person(cipher: ColumnCipher, row: Account) -> tuple[str, str]:
    name, phone = (
        cipher.decrypt(value, "account", column, row.id) if value else ""
        for column, value in (("name", row.name), ("phone", row.phone))
    )
    return name, phone
