"""Requests and answers for operators. No name, no phone, no title: cases and accounts go by their ids."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from schemas.http.backups import Pagination, Request
from schemas.stuck import LONGEST_REASON, Action, CaseKind, Cause

_REFERENCE = r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,39}$"


class NewOperatorAction(Request):
    """What is to be done with a case, and why."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"action": "retry", "reason": "短信服务已恢复 / the carrier is back"}}
    )

    action: Action
    reason: str = Field(
        min_length=1, max_length=LONGEST_REASON, description="Kept in the audit trail; name no person in it"
    )
    confirmed: bool = Field(default=False, description="Needed for what cannot be undone")
    reference: str | None = Field(
        default=None, pattern=_REFERENCE, description="Of hand_to_support: support's own ticket"
    )
    event_id: int | None = Field(
        default=None, ge=1, lt=1 << 31, description="Of reset: the end of a workflow task"
    )


class ActionOffered(BaseModel):
    """An action that fits, and what to know before."""

    action: Action
    title: str
    needs_confirmation: bool
    undo: Action | None = Field(description="What undoes it; None: nothing does")


class StuckView(BaseModel):
    """One reason why one case does not go on."""

    id: int
    case_id: UUID
    case_kind: CaseKind
    unit_code: str | None
    cause: Cause
    title: str
    meaning: str
    advice: str
    activity: str = Field(description="The step that fails or is refused; empty for the case as a whole")
    failure: str | None = Field(description="Type of the failure or a code; never its text")
    attempt: int
    since: datetime
    seen_at: datetime
    people: int = Field(description="Accounts that wait")
    support: str | None = Field(description="Support's ticket, while it is with support")
    revision: int = Field(description="How often operators have acted on the case: its ETag")
    actions: list[ActionOffered]


class StuckPage(BaseModel):
    """A page of stuck work, by age × people affected."""

    stuck: list[StuckView]
    total: int = Field(description="How many there are of this choice")
    pagination: Pagination


class PendingActivityView(BaseModel):
    """A step that is being tried."""

    activity: str
    attempt: int
    failure: str | None
    next_attempt_at: datetime | None


class ResetPointView(BaseModel):
    """Where a case can be reset to."""

    event_id: int
    at: datetime
    outcome: str


class OperatorActionView(BaseModel):
    """What an operator did."""

    action: Action
    title: str
    revision: int
    operator_id: UUID
    reason: str
    reference: str | None
    at: datetime
    result: str = Field(description="done, open, or the code of the refusal")


class CaseView(BaseModel):
    """Where a case stands, for operators."""

    case_id: UUID
    case_kind: CaseKind
    workflow_id: str
    unit_code: str | None
    state: str = Field(description="By its row; empty where it has none")
    workflow: str = Field(description="running, paused, closed, or absent when Temporal has it no more")
    blocked: bool
    due_at: datetime | None
    closed_at: datetime | None
    failing_task: int = Field(description="Attempts of the present workflow task; 0 or 1 is as it should be")
    pending: list[PendingActivityView]
    stuck: list[StuckView]
    acts: list[OperatorActionView] = Field(description="What operators did, the latest first")
    reset_points: list[ResetPointView] = Field(description="The latest ten, the latest first")
    revision: int = Field(description="How often operators have acted: the ETag")
