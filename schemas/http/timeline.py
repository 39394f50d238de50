"""Answers of the timeline. No name, no phone, no title: cases and accounts go by their ids."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from schemas.http.backups import Pagination
from schemas.stuck import CaseKind
from schemas.timeline import EntryKind, Severity


class Sentence(BaseModel):
    """The same words twice."""

    zh: str
    en: str


class TimelineEntryView(BaseModel):
    """One thing that happened, or is happening."""

    at: datetime
    kind: EntryKind
    severity: Severity
    text: Sentence
    event_id: str | None = Field(description="What to ask the raw event by; None for what has not ended yet")


class TimelinePage(BaseModel):
    """A page of what happened to one case, the oldest first."""

    case_id: UUID
    case_kind: CaseKind
    workflow_id: str
    history: Literal["read", "gone", "unreachable"] = Field(
        description="Whether Temporal told its part: its history may be past retention, or Temporal away"
    )
    note: Sentence | None = Field(description="What that means; None when everything is there")
    web_ui: str | None = Field(description="The workflow in the Temporal Web UI, where its address is set")
    entries: list[TimelineEntryView]
    pagination: Pagination


class RawEventView(BaseModel):
    """One event as it was recorded, payloads masked."""

    event_id: str
    event: dict[str, Any]
    web_ui: str | None
