"""Certificates of numbered backups, and what the public may learn of a number. No person is in either."""

from datetime import datetime

from pydantic import BaseModel, Field

from schemas.http.audit import InclusionProof
from schemas.http.backups import ReleaseRef


class Named(BaseModel):
    """A category of the rulebook by its id, with its title in both languages."""

    id: str
    title_zh: str
    title_en: str


class CertifiedManifest(BaseModel):
    """One list of data files as it was uploaded."""

    step: str
    sha256: str = Field(description="Of the uploaded bytes, hex")
    data_files: int


class CertifiedCounts(BaseModel):
    """What a backup is about, in numbers; None where its form does not say."""

    data_files: int
    individuals: int | None = None
    samples: int | None = None


class CertificateView(BaseModel):
    """A certificate (备份证明) of a numbered backup."""

    number: str = Field(description="Backup number (备份编号)")
    version: int = Field(default=1, description="Of the backup's contents: the one that stands")
    legacy: bool = Field(description="The old platform gave the number out: only title and dates are known")
    title: str | None = Field(description="Of the project")
    categories: list[Named]
    counts: CertifiedCounts
    manifests: list[CertifiedManifest]
    release: ReleaseRef | None = Field(description="The release that judged the submission")
    created_at: datetime
    numbered_at: datetime
    audit: InclusionProof | None = Field(
        default=None, description="That the platform cannot unmake it: `hgrip audit prove --check`"
    )


class VerificationView(BaseModel):
    """What a backup number is worth, told to anyone: neither title nor person nor unit."""

    number: str
    valid: bool = Field(description="The number was given out and stands")
    numbered_at: datetime
    withdrawn_at: datetime | None = Field(description="None while it stands")
    version: int = Field(description="Of the backup's contents: each correction makes the next one")
    release: ReleaseRef | None = Field(description="The release that judged it; None for a legacy backup")
    sha256: str | None = Field(default=None, description="The digest that was asked about, hex")
    issued: bool | None = Field(
        default=None, description="Whether a certificate of this backup has that digest; None unless asked"
    )
    issued_version: int | None = Field(
        default=None, description="Of which version; another than `version` is superseded. None unless issued"
    )
