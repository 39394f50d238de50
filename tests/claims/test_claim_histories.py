"""Every path of both kinds of claim, as recorded once and as it runs today, replays on today's workflows.

``HGRIP_RECORD=1 pytest tests/claims/test_claim_histories.py`` records the present histories; see
``docs/how-to/change-a-workflow.md`` for when to do that and when not to. The key ring beside the histories is
for them alone; what they hold is made up. The order of commands is held by ``tests/workflows``.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from claims_town import ADMINISTRATOR, Town, changed_rules, town_in, wrong
from temporalio.client import WorkflowHistory
from temporalio.testing import TimeSkipper
from temporalio.worker import Replayer

from schemas.contracts.claims import OpenClaim
from schemas.contracts.stuck import ResolveBlock
from schemas.errors import Refusal
from settings import Settings
from wire.client import connect
from wire.keys import KeyRing
from wire.plugin import WirePlugin
from workflows.claim import Claim
from workflows.unit_claim import UnitClaim

HISTORIES = Path(__file__).parent / "histories"
KEYS = HISTORIES / "keys.json"
NEWEST = max(
    (folder for folder in HISTORIES.iterdir() if folder.is_dir()), key=lambda folder: int(folder.name)
)
"""The version of the workflows that is recorded now; those before it are out there in open cases."""
RECORDED = sorted(HISTORIES.glob("*/*.json"))
WORKFLOWS = [Claim, UnitClaim]

Run = tuple[UUID, bool]
"""A claim, and whether it is a unit's."""
Play = Callable[[Town, TimeSkipper], Awaitable[Run]]


async def claimed_at_the_second_try(town: Town, time: TimeSkipper) -> Run:
    unit = town.unit()
    person = await town.person(unit)
    claim = await person.claims(town.registrant(unit))
    await person.tries(claim, wrong(await town.code(claim)))
    await person.proves(claim)
    return claim, False


async def without_a_match(town: Town, time: TimeSkipper) -> Run:
    claim = await (await town.person(town.unit())).claims(town.stranger())
    await town.looked_up(claim)
    await time.fast_forward(town.handle(claim), timedelta(minutes=6))
    return claim, False


async def sent_again(town: Town, time: TimeSkipper) -> Run:
    unit = town.unit()
    person = await town.person(unit)
    claim = await person.claims(town.registrant(unit))
    await town.code(claim)
    await time.fast_forward(town.handle(claim), timedelta(seconds=61))
    await person.asks("POST", f"/v1/claims/{claim}/codes")
    await person.tries(claim, await town.code(claim, 2))
    return claim, False


async def locked(town: Town, time: TimeSkipper) -> Run:
    unit = town.unit()
    person = await town.person(unit)
    claim = await person.claims(town.registrant(unit))
    code = await town.code(claim)
    for _ in range(5):
        await person.tries(claim, wrong(code))
    return claim, False


async def refused_by_a_limit(town: Town, time: TimeSkipper) -> Run:
    unit, who = town.unit(), town.stranger()
    person = await town.person(unit)
    for _ in range(5):
        await person.claims(who)
    await person.asks("POST", "/v1/claims", json={"name": who.name, "phone": who.phone})
    claim = town.value("SELECT id FROM claim WHERE state = 'stored' ORDER BY created_at DESC LIMIT 1")
    return claim, False


async def confirmed_by_the_unit_on_record(town: Town, time: TimeSkipper) -> Run:
    there = town.unit()
    person, decider = await town.person(town.unit()), await town.person(there, ADMINISTRATOR)
    claim = await person.claims(town.registrant(there))
    await person.proves(claim)
    await decider.asks("POST", f"/v1/claims/{claim}/confirmations", json={"decision": "agree"})
    return claim, False


async def not_confirmed_in_time(town: Town, time: TimeSkipper) -> Run:
    person = await town.person(town.unit())
    claim = await person.claims(town.registrant(town.unit()))
    await person.proves(claim)
    await time.fast_forward(town.handle(claim), timedelta(days=31))
    return claim, False


async def over_fresh_runs(town: Town, time: TimeSkipper) -> Run:
    unit = town.unit()
    person = await town.person(unit)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("api.claim_requests.OpenClaim", partial(OpenClaim, events_per_run=12))
        claim = await person.claims(town.registrant(unit))
    await person.tries(claim, wrong(await town.code(claim)))
    await person.proves(claim)
    return claim, False


async def by_the_unit_and_reversed(town: Town, time: TimeSkipper) -> Run:
    unit = town.unit()
    chief, heir = await town.person(unit, ADMINISTRATOR), await town.person(unit)
    claim = UUID((await chief.unit_claims(town.registrant(unit), heir)).json()["id"])
    await chief.proves(claim, unit=True)
    await chief.asks("POST", f"/v1/unit-claims/{claim}/reversals", json={"reason": "选错"})
    return claim, True


async def by_the_unit_with_approval(town: Town, time: TimeSkipper) -> Run:
    unit = town.unit()
    chief, second = [await town.person(unit, ADMINISTRATOR) for _ in range(2)]
    claim = UUID((await chief.unit_claims(town.registrant(unit, 101), second)).json()["id"])
    await chief.proves(claim, unit=True)
    await second.asks("POST", f"/v1/unit-claims/{claim}/approvals", json={"decision": "agree"})
    await time.fast_forward(town.handle(claim, unit=True), timedelta(days=8))
    return claim, True


async def by_the_unit_without_a_match(town: Town, time: TimeSkipper) -> Run:
    unit = town.unit()
    chief = await town.person(unit, ADMINISTRATOR)
    claim = UUID((await chief.unit_claims(town.stranger(), chief)).json()["id"])
    return claim, True


async def blocked_and_retried(town: Town, time: TimeSkipper) -> Run:
    unit = town.unit()
    person, who = await town.person(unit), town.registrant(unit)

    def refuse(*_: object) -> None:
        raise Refusal("no_rulebook_in_force")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("activities.claims.find_registrants", refuse)
        claim = await person.claims(who)
        blocked = "SELECT count(*) FROM stuck_work WHERE case_id = :claim AND cause = 'blocked'"
        await town.comes_true(blocked, claim=claim)
    resolving = ResolveBlock(operation_id=uuid4(), action="retry")
    await town.handle(claim).execute_update(Claim.resolve_block, resolving)
    await person.proves(claim)
    return claim, False


PATHS: dict[str, Play] = {
    play.__name__: play
    for play in (
        claimed_at_the_second_try,
        without_a_match,
        sent_again,
        locked,
        refused_by_a_limit,
        confirmed_by_the_unit_on_record,
        not_confirmed_in_time,
        over_fresh_runs,
        by_the_unit_and_reversed,
        by_the_unit_with_approval,
        by_the_unit_without_a_match,
        blocked_and_retried,
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
    async with town_in(settings, await connect(settings), changed_rules()) as town:
        yield town


@pytest.mark.parametrize("path", PATHS)
async def test_a_history_made_today_replays(
    path: str, golden_town: Town, time_skipper: TimeSkipper, plugin: WirePlugin
) -> None:
    claim, unit = await PATHS[path](golden_town, time_skipper)
    await golden_town.handle(claim, unit).result()
    history = await golden_town.history(claim, unit)
    await Replayer(workflows=WORKFLOWS, plugins=[plugin]).replay_workflow(history)
    if os.environ.get("HGRIP_RECORD"):
        told = history.to_json().replace(golden_town.client.identity, "worker")
        (NEWEST / f"{path}.json").write_text(told + "\n", "utf-8")


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}-{path.stem}")
async def test_a_recorded_history_replays(path: Path, plugin: WirePlugin) -> None:
    history = recorded(path)
    await Replayer(workflows=WORKFLOWS, plugins=[plugin]).replay_workflow(history)


def recorded(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, path.read_text("utf-8"))


def test_every_path_has_a_recorded_history() -> None:
    assert {path.stem for path in NEWEST.iterdir()} == set(PATHS)
