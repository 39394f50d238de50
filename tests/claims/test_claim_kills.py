"""kill -9 of the worker in each activity of a claim, before and after its commit: one effect, one answer."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
import pytest_asyncio
from claims_town import ADMINISTRATOR, Person, Registrant, Town, changed_rules, town_in
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.activity.v1 import ActivityOptions
from temporalio.api.workflowservice.v1 import ResetStickyTaskQueueRequest, UpdateActivityOptionsRequest
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.testing import TimeSkipper

import worker
from activities.claims import ClaimActivities
from embedded.process import Child
from schemas.contracts.claims import ClaimOrder, OpenClaim
from schemas.tables.claims import Claim as ClaimRow
from settings import Settings
from store.database import writing
from store.releases import Rulebooks
from workflows.claim import Claim

REPOSITORY = Path(__file__).parents[2]
MORTAL_WORKER = REPOSITORY / "tests" / "chaos" / "mortal_worker.py"
LAST_WORDS = "killed as planned"
PATIENCE = 60
BEFORE_AND_AFTER = pytest.mark.parametrize("moment", ["before_commit", "after_commit"])


@pytest_asyncio.fixture(loop_scope="session")
async def idle_town(settings: Settings, client: Client) -> AsyncIterator[Town]:
    """A town without a worker, whose server misses a dead one after a second."""
    start = partial(WithStartWorkflowOperation, task_timeout=timedelta(seconds=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("api.claim_requests.WithStartWorkflowOperation", start)
        async with town_in(settings, client, changed_rules(), working=False) as town:
            yield town


@contextmanager
def mortal(town: Town, activity: str, moment: str, folder: Path) -> Iterator[Child]:
    """A worker that dies the first time that activity reaches that moment."""
    child = Child(
        "mortal worker",
        [sys.executable, MORTAL_WORKER, activity, moment],
        folder / "mortal.log",
        environment={**town.settings.environment(), "PYTHONPATH": str(REPOSITORY)},
    )
    try:
        yield child
    finally:
        child.kill()


@asynccontextmanager
async def sound(town: Town) -> AsyncIterator[None]:
    with ThreadPoolExecutor(worker.THREADS) as threads:
        async with worker.build(town.settings, town.client, threads):
            yield


async def dead(child: Child) -> None:
    """Wait until it has died as planned."""
    deadline = time.monotonic() + PATIENCE
    while child.alive:
        assert time.monotonic() < deadline, child.log.read_text()
        await asyncio.sleep(0.02)
    assert LAST_WORDS in child.log.read_text(), child.log.read_text()


async def insists(ask: Callable[[], Awaitable[httpx2.Response]]) -> httpx2.Response:
    """Repeat the very same request for as long as the answer asks for it."""
    async with asyncio.timeout(PATIENCE):
        while (answer := await ask()).status_code == 503:  # noqa: ASYNC110 - it is what the answer says
            await asyncio.sleep(0.2)
    return answer


async def hurry(town: Town, claim: UUID, activity: str, unit: bool = False) -> None:
    """Spare the test the minutes after which the server gives an activity's worker up by itself."""
    description = await town.handle(claim, unit).describe()
    execution = description.raw_description.workflow_execution_info.execution
    await town.client.workflow_service.update_activity_options(
        UpdateActivityOptionsRequest(
            namespace=town.client.namespace,
            execution=execution,
            type=activity,
            activity_options=ActivityOptions(start_to_close_timeout=Duration(seconds=1)),
            update_mask=FieldMask(paths=["start_to_close_timeout"]),
        )
    )
    await town.client.workflow_service.reset_sticky_task_queue(
        ResetStickyTaskQueueRequest(namespace=town.client.namespace, execution=execution)
    )


async def opened(town: Town) -> tuple[Person, Registrant, Callable[[], Awaitable[httpx2.Response]]]:
    unit = town.unit()
    old, person, key = town.registrant(unit, 50), await town.person(unit), str(uuid4())
    said = {"name": old.name, "phone": old.phone}
    return person, old, lambda: person.asks("POST", "/v1/claims", key, json=said)


@BEFORE_AND_AFTER
async def test_a_claim_is_counted_once(idle_town: Town, tmp_path: Path, moment: str) -> None:
    town = idle_town
    _, _, ask = await opened(town)
    with mortal(town, "open_claim", moment, tmp_path) as doomed:
        asking = asyncio.ensure_future(insists(ask))
        await dead(doomed)
        assert town.value("SELECT count(*) FROM counted_request") == (4 if moment == "after_commit" else 0)
        async with sound(town):
            answer = await asking
            assert answer.status_code == 202
            await town.code(UUID(answer.json()["id"]))
    assert town.value("SELECT count(*) FROM counted_request") == 4
    assert town.value("SELECT count(*) FROM sms_inbox") == 1


async def test_a_claim_whose_opening_was_lost_after_its_commit_is_found_by_its_deadline(
    idle_town: Town, time_skipper: TimeSkipper
) -> None:
    """Worker and API both died: the row is open, and the workflow has never heard of it."""
    town = idle_town
    unit = town.unit()
    old, person, claim = town.registrant(unit), await town.person(unit), uuid4()
    person_index = town.value("SELECT person_index FROM legacy_registrant WHERE id = :id", id=old.id)
    with writing(town.engine) as writer:
        row = ClaimRow(
            id=claim,
            account_id=person.account,
            unit_code=unit,
            person_index=person_index,
            phone_index=b"",
            address_index=b"",
            created_at=datetime.now(UTC),
        )
        writer.add(row)
    activities = ClaimActivities(town.engine, Rulebooks(town.settings.rule_signers), town.cipher)
    activities.open_claim(ClaimOrder(operation_id=uuid4(), claim_id=claim, at=datetime.now(UTC)))
    async with sound(town):
        handle = await town.client.start_workflow(
            Claim.run,
            OpenClaim(claim_id=claim),
            id=f"claim-{claim}",
            task_queue=town.settings.task_queue,
        )
        await time_skipper.fast_forward(handle, timedelta(seconds=61))
        assert (await person.proves(claim))["state"] == "moved"


@BEFORE_AND_AFTER
async def test_one_code_is_made_and_sent(idle_town: Town, tmp_path: Path, moment: str) -> None:
    town = idle_town
    person, _, ask = await opened(town)
    with mortal(town, "issue_code", moment, tmp_path) as doomed:
        claim = UUID((await insists(ask)).json()["id"])
        await dead(doomed)
        async with sound(town):
            await hurry(town, claim, "issue_code")
            done = await person.proves(claim)
    assert done["state"] == "moved"
    assert town.rows("SELECT seq FROM verification_code") == [(1,)]
    assert town.value("SELECT count(*) FROM sms_message") == 1


@BEFORE_AND_AFTER
async def test_a_wrong_code_is_counted_once(idle_town: Town, tmp_path: Path, moment: str) -> None:
    town = idle_town
    person, _, ask = await opened(town)
    with mortal(town, "try_code", moment, tmp_path) as doomed:
        claim = UUID((await insists(ask)).json()["id"])
        await town.looked_up(claim)
        key = str(uuid4())
        trying = asyncio.ensure_future(insists(lambda: person.tries(claim, "000000", key)))
        await dead(doomed)
        async with sound(town):
            assert (await trying).status_code == 422
    assert town.value("SELECT tries FROM verification_code") == 1


@BEFORE_AND_AFTER
async def test_a_right_code_moves_the_backups_although_its_worker_dies(
    idle_town: Town, tmp_path: Path, moment: str
) -> None:
    town = idle_town
    person, old, ask = await opened(town)
    with mortal(town, "try_code", moment, tmp_path) as doomed:
        claim = UUID((await insists(ask)).json()["id"])
        code, key = await town.code(claim), str(uuid4())
        trying = asyncio.ensure_future(insists(lambda: person.tries(claim, code, key)))
        await dead(doomed)
        async with sound(town):
            await trying
            stands: Any = await asyncio.wait_for(town.handle(claim).result(), PATIENCE)
    assert stands["state"] == "moved"
    assert town.holders(old) == {person.account: 50}
    assert town.value("SELECT tries FROM verification_code") == 1


@BEFORE_AND_AFTER
@pytest.mark.timeout(300)
async def test_the_backups_move_once_and_whole(idle_town: Town, tmp_path: Path, moment: str) -> None:
    town = idle_town
    person, old, ask = await opened(town)
    with mortal(town, "move_claim", moment, tmp_path) as doomed:
        claim = UUID((await insists(ask)).json()["id"])
        code, key = await town.code(claim), str(uuid4())
        trying = asyncio.ensure_future(insists(lambda: person.tries(claim, code, key)))
        await dead(doomed)
        assert town.holders(old) == {person.account if moment == "after_commit" else None: 50}
        async with sound(town):
            await hurry(town, claim, "move_claim")
            answer = await trying
            assert answer.status_code in (200, 202)
            stands: Any = await asyncio.wait_for(town.handle(claim).result(), PATIENCE)
    assert (stands["state"], stands["moved"]) == ("moved", 50)
    assert town.holders(old) == {person.account: 50}
    assert town.value("SELECT count(*) FROM delegation") == 50
    assert town.value("SELECT count(*) FROM notice WHERE kind = 'claim_moved'") == 1


@BEFORE_AND_AFTER
@pytest.mark.timeout(300)
async def test_a_reversal_gives_back_once_and_whole(idle_town: Town, tmp_path: Path, moment: str) -> None:
    town = idle_town
    unit = town.unit()
    old, heir = town.registrant(unit, 50), await town.person(unit)
    chief = await town.person(unit, ADMINISTRATOR)
    with mortal(town, "reverse_unit_claim", moment, tmp_path) as doomed:
        first = str(uuid4())
        claim = UUID((await insists(lambda: chief.unit_claims(old, heir, key=first))).json()["id"])
        await chief.proves(claim, unit=True)
        path, key = f"/v1/unit-claims/{claim}/reversals", str(uuid4())
        undoing = asyncio.ensure_future(
            insists(lambda: chief.asks("POST", path, key, json={"reason": "选错"}))
        )
        await dead(doomed)
        assert town.holders(old) == {heir.account if moment == "before_commit" else None: 50}
        async with sound(town):
            await hurry(town, claim, "reverse_unit_claim", unit=True)
            await undoing
            stands: Any = await asyncio.wait_for(town.handle(claim, unit=True).result(), PATIENCE)
    assert stands["state"] == "reversed"
    assert town.holders(old) == {None: 50}
    assert town.value("SELECT count(*) FROM delegation WHERE until IS NULL") == 0
