"""What is common to claims by persons and by units: reading what was typed, asking the workflow."""

import asyncio
import time
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address
from typing import Annotated, Any, NamedTuple
from uuid import UUID, uuid4

from fastapi import Depends, Request, Response
from starlette.concurrency import run_in_threadpool
from temporalio.client import WithStartWorkflowOperation, WorkflowUpdateStage
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from api.accounts import Member
from api.auth import Identity
from api.changes import carry_out
from api.commands import TAKEN, StillRunningError, carried_out
from api.platform import Platform
from rules.engine.persons import normalise_name, normalise_phone
from rules.engine.procedures import ClaimingProcedure, Code, Matching
from schemas.contracts.claims import ClaimCommand, OpenClaim
from schemas.errors import Refusal
from schemas.stages import short
from store import codes
from store.database import reading
from store.operations import Asked
from wire import search_attributes
from wire.readable import Readable
from workflows.claim import Claim
from workflows.unit_claim import UnitClaim

ALIKE = 0.25
"""Seconds after which a refused code is answered: longer than any way to the refusal takes."""
_NETWORK = 64  # bits of an IPv6 address that one household or institution has


class Typed(NamedTuple):
    """What was typed, as keyed indexes: no name and no phone goes further than this.

    Attributes:
        person_index: Of name and phone.
        phone_index: Of the phone.
        address_index: Of the network address it came from.
    """

    person_index: bytes
    phone_index: bytes
    address_index: bytes


async def unit_administrator(who: Member) -> Identity:
    """Dependency: an administrator of a unit.

    Raises:
        Refusal: ``not_allowed``.
    """
    if "unit_administrator" not in who.roles:
        raise Refusal("not_allowed")
    return who


Administrator = Annotated[Identity, Depends(unit_administrator)]


def policy(platform: Platform) -> ClaimingProcedure:
    """How claims are handled, by the release in force."""
    with reading(platform.engine) as reader:
        return platform.rulebooks.in_force(reader, datetime.now(UTC)).release.procedure("claiming")


def typed(platform: Platform, matching: Matching, name: str, phone: str, request: Request) -> Typed:
    """Normalise what was typed and index it.

    Raises:
        Refusal: What is wrong with the name or the phone, with the place of the field.
    """
    with _in_field("/name"):
        name = normalise_name(name, matching)
    with _in_field("/phone"):
        phone = normalise_phone(phone, matching)
    cipher = platform.cipher
    return Typed(
        cipher.person_index(name, phone),
        cipher.blind_index("phone", phone),
        cipher.blind_index("address", network_address(request)),
    )


def typed_code(code: str, rules: Code) -> str:
    """The digits of a typed code, whatever their width and however they are grouped.

    Raises:
        Refusal: ``code_malformed``; such a try is not counted.
    """
    digits = "".join(unicodedata.normalize("NFKC", code).split())
    if not (digits.isascii() and digits.isdigit() and len(digits) == rules.digits):
        raise Refusal("code_malformed", pointer="/code", limit=rules.digits)
    return digits


def code_digest(platform: Platform, claim_id: UUID, code: str) -> str:
    """The keyed digest of a typed code; the digits go no further."""
    with reading(platform.engine) as reader:
        return codes.typed_digest(reader, platform.cipher, claim_id, code)


@asynccontextmanager
async def answered_alike() -> AsyncIterator[None]:
    """Answer a refused code the same time after it came, whatever the reason: wrong, expired, no claim."""
    began = time.monotonic()
    try:
        yield
    except Refusal as refusal:
        if refusal.error.code == "code_not_accepted":
            await asyncio.sleep(max(0.0, began + ALIKE - time.monotonic()))
        raise


async def changed(
    platform: Platform,
    change: Asked,
    send: Callable[[], Awaitable[None]],
    response: Response,
    prepare: Callable[[Any], object] = lambda writer: None,
    unfinished: Callable[[], bool] = lambda: False,
) -> dict[str, Any] | None:
    """The answer to a change; None when it was accepted and is not done yet.

    Args:
        platform: The platform.
        change: What is asked.
        send: Asks the workflow.
        response: Gets the header of a repeated request.
        prepare: Stores the content the change brings.
        unfinished: Whether what follows from a repeated request has not happened yet: a crash can keep the
            workflow from learning what its activity committed. Then it is asked again, and learns it. What it
            refuses meanwhile, since it is over by then, is no answer to a request that has one.
    """
    try:
        outcome = await carry_out(platform, change, prepare, send)
        if outcome.replayed:
            response.headers["Idempotency-Replayed"] = "true"
            if await run_in_threadpool(unfinished):
                await _ask_again(send)
    except StillRunningError:
        return None
    return outcome.answer


async def _ask_again(send: Callable[[], Awaitable[None]]) -> None:
    try:
        await send()
    except Refusal as refusal:
        if refusal.error.retryable:
            raise


async def begin(
    platform: Platform,
    kind: type[Claim] | type[UnitClaim],
    claim_id: UUID,
    unit_code: str,
    rules: ClaimingProcedure,
    command: ClaimCommand,
) -> None:
    """Start a claim's workflow with its opening.

    Raises:
        Refusal: What the workflow refused.
        StillRunningError: Accepted, not done yet.
    """
    title = "个人认领" if kind is Claim else "单位认领"
    start = WithStartWorkflowOperation(
        kind.run,
        OpenClaim(claim_id=claim_id),
        id=workflow_id(kind, claim_id),
        task_queue=platform.task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,  # a refused claim may be tried again later
        static_summary=Readable(f"{title} {short(claim_id)} · 单位 {unit_code}"),
        search_attributes=search_attributes.at_start(
            stage="waiting_for_code", unit=unit_code, deadline=datetime.now(UTC) + rules.code.valid_for
        ),
    )
    await carried_out(
        platform.temporal.start_update_with_start_workflow(
            kind.begin,
            command,
            start_workflow_operation=start,
            wait_for_stage=WorkflowUpdateStage.ACCEPTED,
            id=str(uuid4()),
            rpc_timeout=TAKEN,
        ),
        over="claim_closed",
    )


async def ask(
    platform: Platform,
    kind: type[Claim] | type[UnitClaim],
    claim_id: UUID,
    update: Any,
    command: ClaimCommand,
    over: str = "claim_closed",
) -> None:
    """Ask a claim's workflow for one thing. The ledger makes it happen once: an update id is for one sending.

    Raises:
        Refusal: What the workflow refused; ``over`` when the claim is closed.
        StillRunningError: Accepted, not done yet.
    """
    handle = platform.temporal.get_workflow_handle(workflow_id(kind, claim_id))
    await carried_out(
        handle.start_update(
            update,
            command,
            wait_for_stage=WorkflowUpdateStage.ACCEPTED,
            id=str(uuid4()),
            rpc_timeout=TAKEN,
        ),
        over=over,
    )


def workflow_id(kind: type[Claim] | type[UnitClaim], claim_id: UUID) -> str:
    """Id of the workflow of one claim."""
    return f"claim-{claim_id}" if kind is Claim else f"unit-claim-{claim_id}"


@contextmanager
def _in_field(pointer: str) -> Iterator[None]:
    try:
        yield
    except Refusal as refusal:
        facts = {"pointer": pointer, **refusal.facts}
        raise Refusal(refusal.error.code, refusal.sentence, **facts) from None


def network_address(request: Request) -> str:
    """The network address a request came from; of IPv6 the network, since a household has 2^64 addresses."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(int(address) >> (128 - _NETWORK))
    return str(getattr(address, "ipv4_mapped", None) or address)
