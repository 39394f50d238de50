"""What every request handler works with, put together once at start-up."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy import Engine
from temporalio.client import Client

from api.auth import Identity
from rules.engine.procedures import Matching
from store.answer_keys import AnswerKeys
from store.eligibility import Eligibility
from store.encryption import ColumnCipher
from store.forms import FormStore
from store.quotas import Quotas
from store.releases import Rulebooks


@dataclass(frozen=True)
class Platform:
    """Database, keys, rules and Temporal, as the API sees them."""

    engine: Engine
    cipher: ColumnCipher
    forms: FormStore
    rulebooks: Rulebooks
    temporal: Client
    task_queue: str
    answer_keys: AnswerKeys
    eligibility: Eligibility
    quotas: Quotas
    public_url: str | None = None
    """Where people reach this API; what is printed leads there."""
    temporal_ui: str | None = None
    """Where operators reach the Temporal Web UI."""
    mirrored: dict[UUID, Identity] = field(default_factory=dict)
    """Accounts whose claims this process has brought to the database."""
    matching: dict[datetime, Matching] = field(default_factory=dict)
    """How names are compared in searches, by the minute in which it was looked up."""


async def _platform(request: Request) -> Platform:
    platform: Platform = request.app.state.platform
    return platform


PlatformDep = Annotated[Platform, Depends(_platform)]
