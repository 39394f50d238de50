"""Requests and answers about backups. Titles and sentences are in the language of the request."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Request(BaseModel):
    """Base of request bodies: nothing unknown, nothing converted, no value in an error."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)


class NewBackup(Request):
    """The first save of any form step opens a backup."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "step": "project",
                "content": {"title": "高原人群全基因组研究", "study_type": "healthy"},
            }
        }
    )

    step: str = Field(max_length=64, description="Id of a form step of the procedure")
    content: dict[str, Any] = Field(description="The form; saved whatever it says, findings come beside it")


class DepositCheckRequest(Request):
    """Ask whether deposits on their way have arrived."""

    model_config = ConfigDict(json_schema_extra={"example": {"attested": "gsa-human"}})

    attested: str | None = Field(
        default=None,
        max_length=64,
        description="Id of a repository that told you so; without it the repositories are asked",
    )


class ReleaseRef(BaseModel):
    """A release of the rulebook."""

    version: str
    digest: str


class Citation(BaseModel):
    """What a rule rests on."""

    instrument: str
    article: str | None = None


class FindingView(BaseModel):
    """One remark of one rule. It never repeats the value it is about."""

    step: str | None = Field(description="None for a remark on the backup as a whole")
    rule: str
    severity: Literal["error", "warning", "advice"]
    pointer: str = Field(description="RFC 6901 pointer into the form or the row; empty for the whole")
    line: int | None = Field(default=None, description="Line of the uploaded list; the header is usually 1")
    column: str | None = None
    message: str
    basis: list[Citation] = []


class FindingCounts(BaseModel):
    """Findings by severity; only errors block a submission."""

    errors: int = 0
    warnings: int = 0
    advice: int = 0


class Contact(BaseModel):
    """Where a repository can be reached."""

    email: str
    qq_group: str | None = None


class WaitingFor(BaseModel):
    """Whom something waits for, since when, and how to reach them."""

    kind: Literal["repository", "platform"]
    who: str
    since: datetime
    contact: Contact | None = None


class Pagination(BaseModel):
    """GA4GH pagination: pass `next_page_token` as `page_token` for the next page; None on the last."""

    next_page_token: str | None = None


class StepSummary(BaseModel):
    """One step of a backup."""

    id: str
    title: str
    kind: Literal["form", "manifest"]
    required: bool
    status: Literal["open", "saved"]
    revision: int = Field(description="0 while open; the ETag of the step")
    saved_at: datetime | None = None
    findings: FindingCounts
    judged: bool = Field(description="False while a list waits to be judged by the release in force")


class ManifestView(BaseModel):
    """A saved list of data files, in numbers."""

    sha256: str
    format: str
    listing: Literal["file_list", "gsa_human_run_table"]
    rows: int
    unreadable_rows: int
    categories: list[str]
    repositories: list[str]
    in_transit: list[str]


class StepView(StepSummary):
    """One step with what is saved of it."""

    content: dict[str, Any] | None = Field(default=None, description="The form, for a form step")
    manifest: ManifestView | None = Field(default=None, description="The list, for a manifest step")
    remarks: list[FindingView] = Field(description="On the form, or on the list as a whole")


class StepSavedView(BaseModel):
    """Answer to a save: what is saved now, and what the rules say of it."""

    operation_id: UUID
    backup_id: UUID
    step: str
    revision: int
    saved_at: datetime
    expires_at: datetime
    findings: FindingCounts
    remarks: list[FindingView] = Field(description="On the form, or on the list as a whole")
    manifest: ManifestView | None = None
    waiting_for: list[WaitingFor] = []


class BackupSummary(BaseModel):
    """One backup in a list."""

    id: UUID
    number: str | None
    state: Literal["draft", "waiting_for_deposit", "numbered", "withdrawn", "expired", "superseded"]
    title: str | None
    created_at: datetime
    saved_at: datetime
    expires_at: datetime | None = Field(description="None once the backup is closed")
    version: int = Field(default=1, description="Of its contents; each correction makes the next one")
    corrects_id: UUID | None = Field(
        default=None,
        description="The numbered backup that it corrects or, `superseded`, of which it is a former version",
    )


class BackupView(BackupSummary):
    """One backup with its steps."""

    creator_id: UUID | None = Field(description="None for a legacy backup, which the old platform created")
    delegate_id: UUID
    unit_code: str
    closed_at: datetime | None
    judged_by: ReleaseRef | None = Field(
        description="For a draft the release in force, then the one that judged it; None for a legacy backup"
    )
    steps: list[StepSummary]
    findings: FindingCounts
    remarks: list[FindingView] = Field(description="On the backup as a whole")
    waiting_for: list[WaitingFor]


class BackupPage(BaseModel):
    """A page of backups, newest first."""

    backups: list[BackupSummary]
    pagination: Pagination


class FindingPage(BaseModel):
    """A page of findings."""

    findings: list[FindingView]
    judged_by: ReleaseRef
    pagination: Pagination


class DataFilePage(BaseModel):
    """A page of the rows of a saved list."""

    data_files: list[dict[str, Any]]
    pagination: Pagination


class SubmissionView(BaseModel):
    """Answer to a submission: a backup number, or what stands in its way."""

    operation_id: UUID
    verdict: Literal["accepted", "rejected"]
    number: str | None
    judged_by: ReleaseRef
    errors: int
    waiting_for: list[WaitingFor]


OperationState = Literal["RUNNING", "WAITING_EXTERNAL", "SUCCEEDED", "REJECTED"]
"""WAITING_EXTERNAL: rejected until deposits arrive. REJECTED: by the rules, or refused at once."""


class OperationView(BaseModel):
    """One asked-for change: where it stands, and whom it waits for."""

    id: UUID
    kind: str
    case_id: UUID = Field(description="The backup or claim it is about")
    state: OperationState
    asked_at: datetime
    finished_at: datetime | None
    refused: str | None = Field(default=None, description="Code of the problem that ended it")
    waiting_for: list[WaitingFor]
