"""Codes (验证码) that prove who holds a phone: kept as a keyed digest only, for one claim, for one use.

The tries are counted under the row's lock, whoever asks however often at once. A claim without a match has a
row as well: no code fits it, and nothing else about it differs.
"""

import hmac
import secrets
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID

from schemas.contracts.claims import seconds_until
from schemas.errors import Refusal
from schemas.tables.claims import VerificationCode
from store.database import Reader, Writer
from store.encryption import ColumnCipher

_DIGEST_BYTES = 32


class Issued(NamedTuple):
    """A code that has just been made. Never printed: it is in the clear.

    Attributes:
        code: Its digits.
        seq: Which code of its claim it is, from 1.
        expires_at: From this instant on it is no longer valid.
    """

    code: str
    seq: int
    expires_at: datetime

    def __repr__(self) -> str:
        """The code stays out of logs and tracebacks."""
        return f"Issued(seq={self.seq})"


def digest(cipher: ColumnCipher, claim_id: UUID, seq: int, code: str) -> str:
    """The keyed digest of a code, hex; another one for every claim and every code of it."""
    return cipher.blind_index("verification_code", f"{claim_id}\0{seq}\0{code}").hex()


def typed_digest(reader: Reader, cipher: ColumnCipher, claim_id: UUID, code: str) -> str:
    """The digest that a typed code has if it is the latest one of this claim."""
    row = reader.get(VerificationCode, claim_id)
    return digest(cipher, claim_id, row.seq if row else 0, code)


def ask(writer: Writer, claim_id: UUID, at: datetime, resend_after: timedelta) -> VerificationCode:
    """Note that a code is asked for, the first or another one.

    Raises:
        Refusal: ``too_many_claims``: the last one was asked for too short a time ago.
    """
    row = writer.get(VerificationCode, claim_id, with_for_update=True)
    if row is None:
        row = VerificationCode(claim_id=claim_id)
    if row.resend_at is not None and at < row.resend_at:
        raise Refusal("too_many_claims", retry_after=seconds_until(row.resend_at, at))
    row.asked, row.resend_at = row.asked + 1, at + resend_after
    writer.add(row)
    return row


def asked(session: Reader | Writer, claim_id: UUID) -> int:
    """How many codes were asked for."""
    row = session.get(VerificationCode, claim_id)
    return row.asked if row else 0


def issue(
    writer: Writer, cipher: ColumnCipher, claim_id: UUID, at: datetime, digits: int, valid_for: timedelta
) -> Issued:
    """Make a code for a claim; the one before is void from now on."""
    code = f"{secrets.randbelow(10**digits):0{digits}}"
    row = _renewed(writer, claim_id, at, valid_for)
    row.digest = bytes.fromhex(digest(cipher, claim_id, row.seq, code))
    return Issued(code, row.seq, at + valid_for)


def issue_none(writer: Writer, claim_id: UUID, at: datetime, valid_for: timedelta) -> int:
    """What `issue` does where nobody is to get a code: random bytes stand for its digest."""
    row = _renewed(writer, claim_id, at, valid_for)
    row.digest = secrets.token_bytes(_DIGEST_BYTES)
    return row.seq


def attempt(
    writer: Writer, claim_id: UUID, typed: str, at: datetime, tries: int
) -> Literal["accepted", "refused", "locked"]:
    """Compare a typed code and count the try.

    Args:
        writer: The transaction, which must commit whatever the outcome.
        claim_id: The claim.
        typed: Digest of what was typed.
        at: When; a code is valid before the instant it expires at.
        tries: After so many wrong ones the claim is locked.
    """
    row = writer.get_one(VerificationCode, claim_id, with_for_update=True)
    if row.tries >= tries:
        return "locked"
    right = hmac.compare_digest(row.digest or bytes(_DIGEST_BYTES), bytes.fromhex(typed))
    valid = row.used_at is None and row.expires_at is not None and at < row.expires_at
    row.tries += 1
    if right and valid:
        row.used_at = at
        return "accepted"
    return "locked" if row.tries >= tries else "refused"


def _renewed(writer: Writer, claim_id: UUID, at: datetime, valid_for: timedelta) -> VerificationCode:
    row = writer.get_one(VerificationCode, claim_id, with_for_update=True)
    row.seq, row.expires_at, row.used_at = row.seq + 1, at + valid_for, None
    return row
