"""kill -9 of the worker in each activity of a handover, before and after its commit: one effect."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
import pytest_asyncio
from claims_town import Town, town_in
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from handover_ward import GAPS, Ward, delegation_rules
from temporalio.api.activity.v1 import ActivityOptions
from temporalio.api.workflowservice.v1 import ResetStickyTaskQueueRequest, UpdateActivityOptionsRequest
from temporalio.client import Client

import worker
from embedded.process import Child
from settings import Settings

REPOSITORY = Path(__file__).parents[2]
MORTAL_WORKER = REPOSITORY / "tests" / "chaos" / "mortal_worker.py"
LAST_WORDS = "killed as planned"
PATIENCE = 60
BEFORE_AND_AFTER = pytest.mark.parametrize("moment", ["before_commit", "after_commit"])


@pytest_asyncio.fixture(loop_scope="session")
async def idle_town(settings: Settings, client: Client) -> AsyncIterator[Town]:
    """A town without a worker."""
    async with town_in(settings, client, delegation_rules(approval={"above": 60}), working=False) as town:
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


async def hurry(ward: Ward, activity: str) -> None:
    """Spare the test the minutes after which the server gives an activity's worker up by itself."""
    town = ward.town
    description = await ward.handle().describe()
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


@BEFORE_AND_AFTER
async def test_a_handover_is_opened_once(idle_town: Town, tmp_path: Path, moment: str) -> None:
    ward = await Ward.built(idle_town, 50)
    digest, key = (await ward.previewed())["digest"], str(uuid4())
    with mortal(idle_town, "open_handover", moment, tmp_path) as doomed:
        asking = asyncio.ensure_future(insists(lambda: ward.confirms(digest, key=key)))
        await dead(doomed)
        async with sound(idle_town):
            assert (await asking).json()["state"] in ("moving", "moved")
            assert (await asyncio.wait_for(ward.handle().result(), PATIENCE))["moved"] == 50
    assert (ward.held(ward.old), ward.held(ward.heir)) == (0, 50)
    assert idle_town.value("SELECT count(*) FROM handover") == 1


@BEFORE_AND_AFTER
@pytest.mark.timeout(300)
async def test_the_backups_move_once_and_whole(idle_town: Town, tmp_path: Path, moment: str) -> None:
    ward = await Ward.built(idle_town, 50)
    digest, key = (await ward.previewed())["digest"], str(uuid4())
    with mortal(idle_town, "move_handover", moment, tmp_path) as doomed:
        asking = asyncio.ensure_future(insists(lambda: ward.confirms(digest, key=key)))
        await dead(doomed)
        assert ward.held(ward.heir) == (50 if moment == "after_commit" else 0)
        async with sound(idle_town):
            await hurry(ward, "move_handover")
            assert (await asking).status_code in (201, 202)
            stands = await asyncio.wait_for(ward.handle().result(), PATIENCE)
    assert (stands["state"], stands["moved"]) == ("moved", 50)
    assert (ward.held(ward.old), ward.held(ward.heir)) == (0, 50)
    assert idle_town.value("SELECT count(*) FROM delegation") == 100
    assert idle_town.value(GAPS) == 0
    assert idle_town.value("SELECT count(*) FROM notice WHERE kind = 'handover_received'") == 1


@BEFORE_AND_AFTER
async def test_an_approval_counts_once(idle_town: Town, tmp_path: Path, moment: str) -> None:
    ward = await Ward.built(idle_town, 61)
    digest, first, key = (await ward.previewed())["digest"], str(uuid4()), str(uuid4())
    with mortal(idle_town, "decide_handover", moment, tmp_path) as doomed:
        waiting = (await insists(lambda: ward.confirms(digest, key=first))).json()
        path, said = f"/v1/handovers/{waiting['id']}/approvals", {"decision": "agree"}
        asking = asyncio.ensure_future(insists(lambda: ward.second.asks("POST", path, key, json=said)))
        await dead(doomed)
        async with sound(idle_town):
            await asking
            await asyncio.wait_for(ward.handle().result(), PATIENCE)
    assert ward.row(waiting)["state"] == "moved"
    assert (ward.held(ward.old), ward.held(ward.heir)) == (0, 61)
