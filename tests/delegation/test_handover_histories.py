"""Every path of a handover, as recorded once and as it runs today, replays on today's workflow.

``HGRIP_RECORD=1 pytest tests/delegation/test_handover_histories.py`` records the present histories; see
``docs/how-to/change-a-workflow.md`` for when to do that and when not to. The key ring beside the histories is
for them alone; what they hold is made up. The order of commands is held by ``tests/workflows``.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from claims_town import Town, town_in
from handover_ward import Ward, delegation_rules
from temporalio.client import WorkflowHistory
from temporalio.testing import TimeSkipper
from temporalio.worker import Replayer

from schemas.contracts.stuck import ResolveBlock
from schemas.errors import Refusal
from settings import Settings
from wire.client import connect
from wire.keys import KeyRing
from wire.plugin import WirePlugin
from workflows.delegation import Handover

HISTORIES = Path(__file__).parent / "histories"
KEYS = HISTORIES / "keys.json"
NEWEST = max(
    (folder for folder in HISTORIES.iterdir() if folder.is_dir()), key=lambda folder: int(folder.name)
)
"""The version of the workflows that is recorded now; those before it are out there in open cases."""
RECORDED = sorted(HISTORIES.glob("*/*.json"))

Play = Callable[[Ward, TimeSkipper], Awaitable[object]]


async def agreed_by_both(ward: Ward, time: TimeSkipper) -> None:
    ward.gives(ward.old, 4)
    waiting = await ward.hands_over("waiting_for_approval")
    await ward.approves(waiting, ward.second)
    await ward.accepts(waiting, ward.heir)


async def undone(ward: Ward, time: TimeSkipper) -> None:
    ward.gives(ward.heir, 1)
    forth = (await ward.previewed(ward.old, of=ward.heir))["digest"]
    done = (await ward.confirms(forth, ward.old, of=ward.heir)).json()
    await ward.accepts(done, ward.old)
    await ward.undoes(done)


async def declined(ward: Ward, time: TimeSkipper) -> None:
    ward.gives(ward.old, 4)
    await ward.approves(await ward.hands_over("waiting_for_approval"), ward.second, "decline")


async def lapsed(ward: Ward, time: TimeSkipper) -> None:
    ward.gives(ward.old, 1)
    await ward.hands_over("waiting_for_acceptance")
    await time.fast_forward(ward.handle(), timedelta(days=31))


async def stale(ward: Ward, time: TimeSkipper) -> None:
    ward.gives(ward.old, 1)
    assert (await ward.confirms("0" * 64)).status_code == 409


async def changed_while_it_waited(ward: Ward, time: TimeSkipper) -> None:
    ward.gives(ward.old, 1)
    waiting = await ward.hands_over("waiting_for_acceptance")
    ward.gives(ward.old, 1)
    await ward.accepts(waiting, ward.heir)


async def refused(ward: Ward, time: TimeSkipper) -> None:
    ward.gives(ward.old, 1)
    digest = (await ward.previewed())["digest"]
    ward.changes_account(ward.chief, "unit_administrator", False)
    assert (await ward.confirms(digest)).status_code == 403
    await asyncio.wait_for(ward.handle().result(), 20)  # and not after the minute it has to be opened


async def second_one_meanwhile(ward: Ward, time: TimeSkipper) -> None:
    ward.gives(ward.old, 1)
    waiting = await ward.hands_over("waiting_for_acceptance")
    digest = (await ward.previewed())["digest"]
    assert (await ward.confirms(digest, by=ward.second)).status_code == 409
    await ward.accepts(waiting, ward.heir)


async def blocked_and_returned(ward: Ward, time: TimeSkipper) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Refusal("no_rulebook_in_force")

    ward.gives(ward.old, 1)
    waiting = await ward.hands_over("waiting_for_acceptance")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("api.commands.DONE", timedelta(seconds=0.5))
        patch.setattr("activities.delegation.handovers.hand_over", refuse)
        await ward.accepts(waiting, ward.heir)
        blocked = "SELECT count(*) FROM stuck_work WHERE case_id = :id AND cause = 'blocked'"
        await ward.town.comes_true(blocked, id=waiting["id"])
    resolving = ResolveBlock(operation_id=uuid4(), action="return_to_applicant")
    await ward.handle().execute_update(Handover.resolve_block, resolving)


PATHS: dict[str, Play] = {
    play.__name__: play
    for play in (
        agreed_by_both,
        undone,
        declined,
        lapsed,
        stale,
        changed_while_it_waited,
        refused,
        second_one_meanwhile,
        blocked_and_returned,
    )
}


@pytest.fixture(scope="module")
def plugin(session_settings: Settings) -> WirePlugin:
    """The plugin with the keys of the recorded histories."""
    return WirePlugin(KeyRing.load(KEYS), session_settings.temporal_namespace)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def golden_town(module_settings: Settings) -> AsyncIterator[Town]:
    """A town whose client and worker encrypt with the keys of the recorded histories."""
    settings = module_settings.model_copy(update={"keys_file": KEYS})
    rules = delegation_rules(approval={"above": 3}, acceptance={"required": True})
    async with town_in(settings, await connect(settings), rules) as town:
        yield town


@pytest.mark.parametrize("path", PATHS)
async def test_a_history_made_today_replays(
    path: str, golden_town: Town, time_skipper: TimeSkipper, plugin: WirePlugin
) -> None:
    ward = await Ward.built(golden_town)
    await PATHS[path](ward, time_skipper)
    await ward.handle().result()
    history = await ward.handle().fetch_history()
    await Replayer(workflows=[Handover], plugins=[plugin]).replay_workflow(history)
    if os.environ.get("HGRIP_RECORD"):
        told = history.to_json().replace(golden_town.client.identity, "worker")
        (NEWEST / f"{path}.json").write_text(told + "\n", "utf-8")


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}-{path.stem}")
async def test_a_recorded_history_replays(path: Path, plugin: WirePlugin) -> None:
    await Replayer(workflows=[Handover], plugins=[plugin]).replay_workflow(recorded(path))


def recorded(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, path.read_text("utf-8"))


def test_every_path_has_a_recorded_history() -> None:
    assert {path.stem for path in NEWEST.iterdir()} == set(PATHS)
