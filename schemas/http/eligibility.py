"""Requests and answers about the use of backups in prior reports. No name and no phone is in any of them."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.findings import Severity
from schemas.http.backups import Citation, ReleaseRef, Request
from schemas.http.claims import Id

MOST = 500
"""Questions of one batch."""
_EXAMPLE: dict[str, Any] = {
    "account": "0b7f6c1e-3d43-5d1c-9c83-5b8f0a4f7f10",
    "backup_number": "BF2026112300001",
}

Number = Annotated[str, Field(max_length=200, description="Backup number")]
Instant = Annotated[AwareDatetime, Field(strict=False)]
"""An instant with its offset (RFC 3339)."""


class NewEligibilityCheck(Request):
    """May this account use this backup number in a prior report, as of a time?"""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    account: Id = Field(description="Account id: UUID version 5 of the token's issuer and subject")
    backup_number: Number
    as_of: Instant | None = Field(default=None, description="An instant up to now; without it, now")


class NewEligibilityBatch(Request):
    """Many questions. One that cannot be answered does not keep the others from their answers."""

    model_config = ConfigDict(json_schema_extra={"example": {"checks": [_EXAMPLE]}})

    checks: list[dict[str, Any]] = Field(
        min_length=1, max_length=MOST, description="Each as in POST /v1/eligibility-checks"
    )


class ReasonView(BaseModel):
    """One rule that does not hold."""

    rule_id: str
    severity: Severity = Field(description="`error` stands against the use, others only point something out")
    text: str
    basis: list[Citation]


class EligibilityStatement(BaseModel):
    """An answer: what is signed."""

    account: UUID
    backup_number: str
    eligible: bool
    reasons: list[ReasonView]
    as_of: datetime
    answered_at: datetime
    release: ReleaseRef = Field(description="The release in force at `as_of`")
    input_digest: str = Field(description="SHA-256 of the question and of all that was judged, hex")


class EligibilityView(EligibilityStatement):
    """An answer, and the same signed."""

    jws: str = Field(
        description="All other members as a compact JWS (RFC 7515), by a key of /.well-known/jwks.json"
    )


class PublicKeyView(BaseModel):
    """A public key (RFC 8037)."""

    kty: str
    crv: str
    x: str
    kid: str
    use: str
    alg: str


class PublicKeySet(BaseModel):
    """A JSON Web Key Set (RFC 7517); the first key signs now."""

    keys: list[PublicKeyView]


class NewPriorReport(Request):
    """A prior report of the HGR service system used a backup."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"report_id": "SXBG-2026-000123", **_EXAMPLE, "used_at": "2026-11-23T09:30:00+08:00"}
        }
    )

    report_id: str = Field(
        pattern=r"^[A-Za-z0-9._-]{1,64}$", description="Of the HGR service system; no person in it"
    )
    backup_number: Number
    account: Id = Field(description="Who reports")
    used_at: Instant = Field(description="When the report used the backup")


class PriorReportView(BaseModel):
    """A recorded prior report."""

    report_id: str
    backup_number: str
    account: UUID
    used_at: datetime
    recorded_at: datetime
