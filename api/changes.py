"""How the API carries a change out: note it, send it to the workflow, read what came of it."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, NamedTuple
from uuid import UUID, uuid5

from fastapi import Depends, Header
from starlette.concurrency import run_in_threadpool

from api.platform import Platform
from schemas.contracts.backups import operation_id
from schemas.errors import Refusal
from schemas.tables.backups import Operation
from store import operations
from store.database import Writer, reading, writing
from store.operations import Asked

NO_REVISION = -1
_ETAG = re.compile(r'"?([0-9]{1,9})"?')  # without quotes as well: people type it by hand


class Outcome(NamedTuple):
    """What came of a change.

    Attributes:
        answer: The workflow's answer, as the ledger holds it.
        replayed: The very request had been carried out before; nothing was done now.
    """

    answer: dict[str, Any]
    replayed: bool


async def idempotency_key(
    key: Annotated[
        str,
        Header(
            alias="Idempotency-Key",
            description="UUID of this action; the same when it is repeated",
            json_schema_extra={"format": "uuid"},
        ),
    ] = "",
) -> UUID:
    """Dependency: the key of a POST.

    Raises:
        Refusal: ``idempotency_key_missing`` or ``idempotency_key_invalid``.
    """
    if not key:
        raise Refusal("idempotency_key_missing")
    try:
        return UUID(key)
    except ValueError:
        raise Refusal("idempotency_key_invalid") from None


async def if_match(
    etag: Annotated[
        str,
        Header(
            alias="If-Match",
            description='ETag of the step as you read it, `"0"` while open',
            examples=['"0"'],
        ),
    ] = "",
) -> int:
    """Dependency: the revision a save replaces; `NO_REVISION`, which is always stale, for a foreign ETag.

    A weak ETag and ``*`` are foreign: a save must name what it replaces.

    Raises:
        Refusal: ``precondition_required``.
    """
    if not etag:
        raise Refusal("precondition_required")
    ours = _ETAG.fullmatch(etag.strip())
    return int(ours[1]) if ours else NO_REVISION


Key = Annotated[UUID, Depends(idempotency_key)]
Revision = Annotated[int, Depends(if_match)]


def asked(
    platform: Platform, account_id: UUID, case_id: UUID, kind: str, update_id: str, request: object
) -> Asked:
    """Describe a change: its ids follow from who asks what under which key."""
    digest = platform.forms.digest({"kind": kind, "account": str(account_id), "request": request})
    return Asked(operation_id(case_id, update_id), update_id, account_id, case_id, kind, digest)


def new_backup_id(account_id: UUID, key: UUID) -> UUID:
    """Id of the backup that one request of one account opens, however often it is repeated."""
    return uuid5(account_id, str(key))


async def carry_out(
    platform: Platform,
    change: Asked,
    prepare: Callable[[Writer], object],
    send: Callable[[], Awaitable[object]],
) -> Outcome:
    """Carry a change out, or find that it has been.

    A crash in between leaves content that nothing refers to, and the same request finishes the work.

    Args:
        platform: The platform.
        change: What is asked.
        prepare: Stores the content the change brings, under the id of the operation.
        send: Asks the workflow.

    Raises:
        Refusal: The change was refused, now or the first time.
        StillRunningError: Accepted, not done yet.
    """
    known = await run_in_threadpool(_begin, platform, change, prepare)
    if known is not None:
        return Outcome(known, replayed=True)
    try:
        await send()
    except Refusal as refusal:
        if refusal.error.retryable:
            raise
        made = await run_in_threadpool(_refuse, platform, change.id, refusal)
        if made is None:
            raise
        return Outcome(made, replayed=True)
    return Outcome(await run_in_threadpool(_answer, platform, change.id), replayed=False)


def _begin(platform: Platform, change: Asked, prepare: Callable[[Writer], object]) -> dict[str, Any] | None:
    with writing(platform.engine) as writer:
        known = operations.begin(writer, change)
        if known is None:
            prepare(writer)
        return known


def _refuse(platform: Platform, operation: UUID, refusal: Refusal) -> dict[str, Any] | None:
    with writing(platform.engine) as writer:
        return operations.refuse(writer, operation, refusal)


def _answer(platform: Platform, operation: UUID) -> dict[str, Any]:
    with reading(platform.engine) as reader:
        return reader.get_one(Operation, operation).outcome or {}
