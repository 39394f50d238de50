"""Answers about the rulebook: the matrix, releases, single rules, and what they would say of a record."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.http.backups import Contact, FindingCounts, FindingView, ReleaseRef, Request

RuleVerdict = Literal["accepted", "refused"]


class Kind(BaseModel):
    """The further answer that decides about the repository, e.g. what kind of biomarker it is."""

    field: str
    value: str


class MatrixCell(BaseModel):
    """Which repositories take one kind of data."""

    category: str
    data_type: str
    kind: Kind | None
    title: str
    repositories: list[str] = Field(description="Ids, listed below with their contacts")


class MatrixRepository(BaseModel):
    """A repository and the file formats it takes, by data type."""

    id: str
    name: str
    title: str
    home: str
    contact: Contact
    formats: dict[str, list[str]]


class MatrixView(BaseModel):
    """What may go where, by the release in force."""

    judged_by: ReleaseRef
    categories: dict[str, str] = Field(description="Id → title, in the order of the notice")
    cells: list[MatrixCell]
    repositories: list[MatrixRepository]


class ActView(BaseModel):
    """One signed decision about a release."""

    sequence: int
    kind: Literal["propose", "approve", "schedule", "withdraw"]
    signer: str = Field(description="Id of the key, a handle")
    at: datetime
    effective_from: date | None
    restores: str | None = Field(description="Digest of the earlier release that is brought back")
    signature: str = Field(description="Ed25519, base64")


class ReleaseSummary(ReleaseRef):
    """One release in the list."""

    status: Literal["proposed", "approved", "scheduled", "in_force", "superseded", "withdrawn", "untrusted"]
    effective_from: date | None = Field(description="First day it judges (Asia/Shanghai), once that is set")
    acts: list[ActView]


class ReleaseList(BaseModel):
    """Every release, the one published last first."""

    releases: list[ReleaseSummary]


class ReleaseView(ReleaseSummary):
    """One release with its content; SHA-256 of its canonical JSON is the digest."""

    documents: dict[str, Any] = Field(description="Content of each rule file")


class RuleBasis(BaseModel):
    """A text a rule rests on."""

    instrument: str
    title: str
    article: str
    in_force: date


class RuleChange(BaseModel):
    """What a release did to a rule."""

    release: ReleaseRef
    effective_from: date
    change: Literal["added", "changed", "removed"]


class RuleView(BaseModel):
    """One rule as the release in force has it, and what became of it over the releases."""

    id: str
    subject: str
    severity: Literal["error", "warning", "advice"]
    message: str
    decision: str | None = Field(description="What was decided where the notice is silent")
    basis: list[RuleBasis]
    when: Any = Field(description="JSON Schema 2020-12: where it holds, the rule speaks")
    require: Any = Field(description="JSON Schema 2020-12 that must hold then")
    judged_by: ReleaseRef
    history: list[RuleChange]


class NewRuleEvaluation(Request):
    """Records to be judged without being saved."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"subject": "data-file", "records": [{"file_name": "A_1.fq.gz", "category": "wgs"}]}
        }
    )

    subject: str = Field(max_length=64, description="A form, `manifest` or `submission`")
    records: list[dict[str, Any]] = Field(min_length=1, max_length=10_000)


class RecordEvaluation(BaseModel):
    """What the rules say of one record."""

    verdict: RuleVerdict
    remarks: list[FindingView]


class RuleEvaluation(BaseModel):
    """One verdict per record, in their order."""

    judged_by: ReleaseRef
    results: list[RecordEvaluation]


class ManifestEvaluation(BaseModel):
    """What the rules say of a list of data files."""

    judged_by: ReleaseRef
    verdict: RuleVerdict
    rows: int
    unreadable_rows: int
    findings: FindingCounts
    remarks: list[FindingView] = Field(description="On the list as a whole, unreadable rows, rows; cut short")
    complete: bool = Field(description="False when there are more remarks than are shown")
