"""How a release comes into force: signed acts in a fixed order, each proven by those before it."""

import base64
import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Literal, NamedTuple, Self
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime

from rules.engine.model import Part
from rules.engine.release import Release
from rules.engine.signing import Role, Signers, SigningKey, canonical
from schemas.texts import Text

CHINA = ZoneInfo("Asia/Shanghai")
"""A release takes effect at midnight here: the law knows one time zone."""
PREAMBLE = b"hgrip rulebook act 1\n"
"""Begins every signed statement, so that a signature made for something else never fits."""

Kind = Literal["propose", "approve", "schedule", "withdraw"]
"""提出、批准、定日、撤回."""

_NEXT: dict[Kind | None, tuple[Kind, ...]] = {
    None: ("propose",),
    "propose": ("approve", "withdraw"),
    "approve": ("schedule", "withdraw"),
    "schedule": ("schedule", "withdraw"),
    "withdraw": (),
}
_ROLES: dict[Kind, tuple[Role, ...]] = {
    "propose": ("author",),
    "approve": ("approver",),
    "schedule": ("approver",),
    "withdraw": ("author", "approver"),
}

REFUSALS = {
    "unknown_release": Text(
        "没有这个规则版本；请用 hgrip rules list 查看。", "There is no such release; see hgrip rules list."
    ),
    "version_taken": Text(
        "该版本号已用于另一内容；请在 rulebook.yaml 中写下一个版本号。",
        "This version names other content already; write the next version into rulebook.yaml.",
    ),
    "wrong_order": Text(
        "该规则版本当前的状态不允许此操作：先提出，再批准，再定日；撤回后不能再用。",
        "The release's status does not allow this: propose, approve, schedule, in that order; "
        "what was withdrawn stays so.",
    ),
    "in_force_already": Text(
        "该规则版本已经生效，不能改期或撤回；请用 rollback 以新版本恢复旧规则。",
        "The release has taken effect and can be neither moved nor withdrawn; bring earlier rules back under "
        "a new version with rollback.",
    ),
    "unknown_signer": Text(
        "签名人不在受信任的密钥文件（HGRIP_RULE_SIGNERS）中。",
        "The signer is not in the file of trusted keys (HGRIP_RULE_SIGNERS).",
    ),
    "retired_signer": Text(
        "该签名密钥已停用，请使用现用密钥。", "This signing key is retired; use one in service."
    ),
    "wrong_role": Text(
        "该签名人没有此操作所需的角色：起草人提出，审批人批准和定日。",
        "The signer lacks the role: authors propose, approvers approve and schedule.",
    ),
    "own_release": Text(
        "起草人不能批准自己提出的规则版本，请另一位审批人签名（四眼原则）。",
        "Authors do not approve what they proposed; another approver has to sign (four eyes).",
    ),
    "date_in_past": Text(
        "生效日不能早于定日当天。", "The effective date must not be earlier than the day it is set."
    ),
    "date_before_declared": Text(
        "生效日不能早于规则文件中声明的 effective_from。",
        "The effective date must not be earlier than effective_from in the rule files.",
    ),
    "date_before_last": Text(
        "生效日不能早于已定日的上一规则版本，否则它永远不会起作用；请改日期。",
        "The effective date must not be earlier than that of the release scheduled last, or it would never "
        "judge; choose another.",
    ),
    "clocks_differ": Text(
        "本机时钟与数据库时钟相差超过一天，请先校准时钟。",
        "This machine's clock and the database's differ by more than a day; set them right first.",
    ),
    "bad_signature": Text(
        "签名与内容不符：该规则版本或其签署记录被改动过，不予采用。",
        "A signature does not fit: the release or its acts have been altered, and it does not judge.",
    ),
    "content_altered": Text(
        "规则内容与其摘要不符：内容被改动过，不予采用。",
        "The content does not fit its digest: it has been altered, and it does not judge.",
    ),
    "not_judging": Text(
        "该规则版本没有定日，不能用于判断。", "The release has not been scheduled, so it does not judge."
    ),
}
"""Why an act or a release is refused, and how to mend it."""


class ReleaseRefused(Exception):  # noqa: N818 - a refusal is an answer, not a fault of ours
    """An act that may not be done, or a release that may not judge.

    Attributes:
        code: Key of `REFUSALS`.
        text: The sentence.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        self.text = REFUSALS[code]
        super().__init__(f"{self.text.zh} / {self.text.en}")


class Content(NamedTuple):
    """What the acts are about: names and declared date of one release, read from its canonical JSON."""

    digest: str
    version: str
    declared: date

    @classmethod
    def read(cls, canonical: bytes) -> Self:
        """Read without compiling."""
        rulebook = json.loads(canonical)["rulebook"]
        digest = hashlib.sha256(canonical).hexdigest()
        return cls(digest, rulebook["version"], date.fromisoformat(rulebook["effective_from"]))


class Act(Part):
    """One decision of one person about one release (签署).

    Attributes:
        release: Digest.
        version: Its version, so that a person can tell what was signed.
        sequence: 1, 2, 3 … within the release: none can be taken out unnoticed.
        kind: What was decided.
        signer: Id of the key, a handle.
        at: When, by the database's clock.
        effective_from: The day set by ``schedule``.
        restores: Digest of the earlier release that a proposal brings back (回退).
    """

    release: str
    version: str
    sequence: int
    kind: Kind
    signer: str
    at: AwareDatetime
    effective_from: date | None = None
    restores: str | None = None

    def statement(self) -> bytes:
        """The bytes that are signed."""
        content = self.model_dump(mode="json") | {"at": self.at.astimezone(UTC).isoformat()}
        return PREAMBLE + canonical(content)

    def signed(self, key: SigningKey) -> "SignedAct":
        """The act with its signature."""
        return SignedAct(self, key.sign(self.statement()))


class SignedAct(NamedTuple):
    """An act and its signature (64 bytes)."""

    act: Act
    signature: bytes

    def as_json(self) -> dict[str, Any]:
        """For bundles and answers: the act's fields and ``signature`` in base64."""
        return self.act.model_dump(mode="json") | {"signature": base64.b64encode(self.signature).decode()}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """The other way.

        Raises:
            ValueError: It is no signed act.
        """
        signature = base64.b64decode(content["signature"], validate=True)
        return cls(Act(**{name: value for name, value in content.items() if name != "signature"}), signature)


def china_day(at: datetime) -> date:
    """The calendar day of an instant in China."""
    return at.astimezone(CHINA).date()


def require_allowed(content: Content, before: Sequence[Act], act: Act, signers: Signers) -> None:
    """Whether an act may follow those before it; the same question when it is done and when it is verified.

    Raises:
        ReleaseRefused: It may not.
    """
    last = before[-1] if before else None
    named = (act.release, act.version, act.sequence)
    if named != (content.digest, content.version, len(before) + 1):
        raise ReleaseRefused("bad_signature")
    if act.kind not in _NEXT[last.kind if last else None]:
        raise ReleaseRefused("wrong_order")
    _require_entitled(before, act, signers)
    if last and last.effective_from and china_day(act.at) >= last.effective_from:
        raise ReleaseRefused("in_force_already")
    if (act.effective_from is not None) != (act.kind == "schedule") or (last and act.at < last.at):
        raise ReleaseRefused("wrong_order")
    if act.effective_from:
        if act.effective_from < china_day(act.at):
            raise ReleaseRefused("date_in_past")
        if act.effective_from < content.declared:
            raise ReleaseRefused("date_before_declared")


def _require_entitled(before: Sequence[Act], act: Act, signers: Signers) -> None:
    signer = signers.signers.get(act.signer)
    if signer is None:
        raise ReleaseRefused("unknown_signer")
    if signer.retired_on and china_day(act.at) >= signer.retired_on:
        raise ReleaseRefused("retired_signer")
    if not set(_ROLES[act.kind]) & set(signer.roles):
        raise ReleaseRefused("wrong_role")
    if act.kind in ("approve", "schedule") and act.signer == before[0].signer:
        raise ReleaseRefused("own_release")


def verify(canonical: bytes, digest: str, signed: Sequence[SignedAct], signers: Signers) -> None:
    """Prove a release from nothing but its bytes and the trusted keys.

    Args:
        canonical: Its canonical JSON.
        digest: The digest it is known by.
        signed: All its acts, in order.
        signers: The trusted keys.

    Raises:
        ReleaseRefused: Content, order, persons, dates or a signature do not fit.
    """
    if hashlib.sha256(canonical).hexdigest() != digest:
        raise ReleaseRefused("content_altered")
    content = Content.read(canonical)
    before: list[Act] = []
    for act, signature in signed:
        require_allowed(content, before, act, signers)
        if not signers.verify(act.signer, act.statement(), signature):
            raise ReleaseRefused("bad_signature")
        before.append(act)


def restored(release: Release, version: str, effective_from: date) -> Release:
    """An earlier release's rules under a new version and date: what a rollback (回退) proposes."""
    documents = json.loads(release.canonical())
    documents["rulebook"] |= {"version": version, "effective_from": effective_from.isoformat()}
    return Release(documents)


def next_version(taken: Sequence[str], day: date) -> str:
    """The first free calendar version of a month, e.g. ``2026.11.2``."""
    month = f"{day.year}.{day.month}."
    serials = [int(version.removeprefix(month)) for version in taken if version.startswith(month)]
    return f"{month}{max(serials, default=0) + 1}"
