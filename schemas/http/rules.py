"""Answers about the rulebook: the matrix, releases, single rules, and what they would say of a record."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from schemas.http.backups import Contact, FindingCounts, FindingView, Pagination, ReleaseRef, Request

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


class ReceiptRemark(BaseModel):
    """What one rule said, without words."""

    rule: str
    pointer: str
    times: int


class ReceiptView(BaseModel):
    """The account of one decision (判定凭据): same release and same record, same receipt."""

    digest: str = Field(description="SHA-256 of the canonical JSON of the other members")
    release: str = Field(description="Digest of the release that judged")
    engine: str = Field(description="What asked it, with versions")
    subject: str
    input: str = Field(
        description="SHA-256 of the canonical JSON of the record, whatever the order of its keys"
    )
    verdict: RuleVerdict
    remarks: list[ReceiptRemark] = Field(description="Sorted by rule and pointer")


class RecordEvaluation(BaseModel):
    """What the rules say of one record."""

    verdict: RuleVerdict
    remarks: list[FindingView]
    receipt: ReceiptView


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


class NewRuleDiff(Request):
    """Two stored releases, by version or digest."""

    model_config = ConfigDict(json_schema_extra={"example": {"old": "2026.11.1", "new": "2026.11.2"}})

    old: str = Field(min_length=1, max_length=64)
    new: str = Field(min_length=1, max_length=64)


class NewRuleImpact(Request):
    """A stored release, whether or not it judges yet, by version or digest."""

    model_config = ConfigDict(json_schema_extra={"example": {"candidate": "2026.11.2"}})

    candidate: str = Field(min_length=1, max_length=64)


class ComparisonProgress(BaseModel):
    """How far a comparison has come."""

    done: int
    total: int | None = Field(description="None until it is counted")


class ComparisonView(BaseModel):
    """A comparison of releases: poll it until it is no longer RUNNING."""

    id: UUID
    state: Literal["RUNNING", "SUCCEEDED", "REJECTED"]
    progress: ComparisonProgress
    asked_at: datetime
    finished_at: datetime | None
    refused: str | None = Field(description="Code of the problem that ended it")


Remark = Literal["advice", "warning", "error"]


class DecisionChange(BaseModel):
    """One decision that comes out otherwise."""

    subject: str
    when: str
    before: Remark | None = Field(description="Gravest remark of the old release; None: no remark")
    after: Remark | None
    sentence: str


class PatternChangeView(BaseModel):
    """A pattern that is written otherwise, also where no spelling tried tells the two apart."""

    place: str
    old: str
    new: str
    refused: list[str] = Field(description="Spellings that only the old one accepts")
    accepted: list[str] = Field(description="Spellings that only the new one accepts")
    tried: int
    sentence: str


class RuleDiff(BaseModel):
    """What changes from one release to the other."""

    asked: int = Field(description="Records that both were asked about")
    changes: list[DecisionChange]
    patterns: list[PatternChangeView]
    settings: list[str] = Field(description="Values of procedures, as `file: place: old → new`")
    files: list[str] = Field(description="Files that differ, also where no decision does")


class RuleDiffView(ComparisonView):
    """A comparison of two releases; progress counts records."""

    old: ReleaseRef
    new: ReleaseRef
    result: RuleDiff | None


class ImpactSums(BaseModel):
    """What would change of the numbered backups, or of the open drafts; so far, while it runs."""

    group: Literal["numbered", "open"]
    judged: int
    accepted_to_refused: int
    refused_to_accepted: int
    other_remarks: int
    sentence: str


class RuleImpactView(ComparisonView):
    """What a release would change of what was submitted; progress counts backups."""

    candidate: ReleaseRef
    sums: list[ImpactSums]


class ImpactChange(BaseModel):
    """One backup that would be judged otherwise: no person, no value."""

    backup_id: UUID
    group: Literal["numbered", "open"]
    before: RuleVerdict
    after: RuleVerdict
    rules: list[str] = Field(description="Rules that would speak and did not, or did and would not")


class ImpactChangePage(BaseModel):
    """A page of changes, by backup id."""

    changes: list[ImpactChange]
    pagination: Pagination
