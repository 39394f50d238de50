"""An effect nobody asked for is refused: its workflow waits for an operator, and goes on as one decides."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import pytest_asyncio
from backup_desk import LONG_AGO, Desk, Draft, Repositories, changed_release, file_list
from claims_town import Person, Town, refusal, until
from handover_ward import Ward
from http_deployment import REPOSITORY
from sqlmodel import select
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.testing import TimeSkipper

import worker
from rules.engine.load import load_rulebook
from schemas.contracts.stuck import BlockResolved, ResolveBlock
from schemas.errors import Refusal
from schemas.stuck import BlockAction
from schemas.tables.stuck import StuckWork
from settings import Settings
from store.database import reading
from wire import executions
from wire.refusals import refusal_in
from workflows.backup_creation import BackupCreation

DAY = timedelta(days=1, minutes=1)


def refuse(*args: object, **more: object) -> None:
    raise Refusal("no_rulebook_in_force")


@asynccontextmanager
async def refusing(what: str) -> AsyncIterator[None]:
    """While the block lasts, a part of some activity refuses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(what, refuse)
        yield


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second instead of ten for an answer."""
    monkeypatch.setattr("api.commands.DONE", timedelta(seconds=0.5))


async def listed(operator: Person, case: str) -> list[dict[str, Any]]:
    found = await operator.gets("/v1/ops/stuck?cause=blocked&page_size=1000")
    return [row for row in found["stuck"] if row["case_id"] == case]


async def acts(operator: Person, case: str, action: str, **said: Any) -> httpx2.Response:
    seen = await operator.gets(f"/v1/ops/cases/{case}")
    headers = {"Idempotency-Key": str(uuid4()), "If-Match": f'"{seen["revision"]}"'}
    body = {"action": action, "reason": "规则已发布", **said}
    return await operator.http.post(f"/v1/ops/cases/{case}/actions", json=body, headers=headers)


@pytest_asyncio.fixture(loop_scope="session")
async def blocked(town: Town, impatient: None) -> tuple[Ward, dict[str, Any]]:
    """A handover whose move is refused."""
    ward = await Ward.built(town, backups=3)
    digest = (await ward.previewed())["digest"]
    async with refusing("activities.delegation.handovers.hand_over"):
        answer = await ward.confirms(digest)
        assert answer.status_code == 202, answer.text
        await ward.town.comes_true(
            "SELECT count(*) FROM stuck_work WHERE case_id = :id AND cause = 'blocked'",
            id=answer.json()["id"],
        )
    return ward, answer.json()


async def test_a_refused_move_blocks_its_handover_and_goes_on_when_it_is_retried(
    blocked: tuple[Ward, dict[str, Any]], operator: Person
) -> None:
    ward, handover = blocked
    (row,) = await listed(operator, handover["id"])
    assert (row["activity"], row["failure"], row["people"]) == ("move_handover", "no_rulebook_in_force", 3)
    assert [each["action"] for each in row["actions"]] == [
        "retry", "skip", "return_to_applicant", "hand_to_support",
    ]  # fmt: skip
    case = await operator.gets(f"/v1/ops/cases/{handover['id']}")
    assert (case["blocked"], case["workflow"], case["state"]) == (True, "running", "moving")
    assert refusal(await acts(operator, handover["id"], "skip", confirmed=True)) == (409, "nothing_to_do")
    freed = await acts(operator, handover["id"], "retry")
    assert freed.status_code == 200, freed.text
    await ward.handle().result()
    assert (ward.row(handover)["state"], ward.held(ward.heir)) == ("moved", 3)
    assert await listed(operator, handover["id"]) == []
    again = await acts(operator, handover["id"], "retry")
    assert refusal(again) == (409, "case_not_running")


async def test_a_blocked_handover_is_returned_to_whoever_asked_for_it(
    blocked: tuple[Ward, dict[str, Any]], operator: Person
) -> None:
    ward, handover = blocked
    assert refusal(await acts(operator, handover["id"], "return_to_applicant")) == (
        422, "confirmation_missing",
    )  # fmt: skip
    returned = await acts(operator, handover["id"], "return_to_applicant", confirmed=True)
    assert returned.status_code == 200, returned.text
    await ward.handle().result()
    row = ward.row(handover)
    assert (row["state"], row["reason"], ward.held(ward.old)) == ("declined", "returned", 3)
    assert "case_returned" in [each["kind"] for each in (await ward.chief.gets("/v1/me/notices"))["notices"]]
    assert await listed(operator, handover["id"]) == []


async def test_a_claim_whose_look_up_is_refused_takes_it_up_when_it_is_retried(
    town: Town, operator: Person
) -> None:
    unit = town.unit()
    person, registrant = await town.person(unit), town.registrant(unit)
    async with refusing("activities.claims.find_registrants"):
        claim = await person.claims(registrant)
        await until(lambda: town.value("SELECT count(*) FROM stuck_work WHERE case_id = :id", id=claim))
    (row,) = await listed(operator, str(claim))
    assert row["activity"] == "issue_code"
    assert (await acts(operator, str(claim), "retry")).status_code == 200
    assert (await person.proves(claim))["state"] == "moved"
    assert await listed(operator, str(claim)) == []


async def test_a_claim_whose_move_is_refused_can_be_returned_and_not_skipped(
    town: Town, operator: Person, impatient: None
) -> None:
    unit = town.unit()
    person, registrant = await town.person(unit), town.registrant(unit)
    claim = await person.claims(registrant)
    code = await town.code(claim)
    async with refusing("activities.claims.move"):
        answer = await person.tries(claim, code)
        assert answer.status_code == 202, answer.text
        await until(lambda: town.value("SELECT count(*) FROM stuck_work WHERE case_id = :id", id=claim))
    assert refusal(await acts(operator, str(claim), "skip", confirmed=True)) == (409, "nothing_to_do")
    returned = await acts(operator, str(claim), "return_to_applicant", confirmed=True)
    assert returned.status_code == 200, returned.text
    assert (await person.claim(claim))["state"] == "declined"
    assert town.holders(registrant) == {None: 3}
    assert "case_returned" in await person.notices()


# --- drafts, whose runs are short -----------------------------------------------------------------


@pytest_asyncio.fixture(loop_scope="session")
async def desk(client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    repositories = Repositories()
    monkeypatch.setattr("worker.Offline", lambda: repositories)
    desk = Desk.furnished(
        client, settings, changed_release(load_rulebook(REPOSITORY / "rules"), "2023.7.1", LONG_AGO)
    )
    with ThreadPoolExecutor(worker.THREADS) as threads:
        async with worker.build(settings, client, threads):
            yield desk
    desk.platform.engine.dispose()


async def resolves(draft: Draft, action: BlockAction) -> BlockResolved:
    resolving = ResolveBlock(operation_id=uuid4(), action=action)
    answer: BlockResolved = await draft.handle.execute_update(BackupCreation.resolve_block, resolving)
    return answer


def noted(draft: Draft) -> list[StuckWork]:
    with reading(draft.desk.platform.engine) as reader:
        return list(reader.exec(select(StuckWork).where(StuckWork.case_id == draft.id)))


async def is_blocked(draft: Draft) -> bool:
    found = await executions.describe(draft.desk.platform.temporal, f"backup-{draft.id}")
    return found is not None and executions.is_blocked(found)


async def test_a_blocked_draft_is_saved_on_over_fresh_runs_and_still_waits_for_the_operator(
    desk: Desk, time_skipper: TimeSkipper
) -> None:
    draft = desk.draft(events_per_run=30)
    await draft.save("data-files", file_list(in_transit=["gvm"]))
    async with refusing("activities.backups.awaiting"):
        await time_skipper.fast_forward(draft.handle, DAY)
        await until(lambda: noted(draft))
    assert await is_blocked(draft)
    first = (await draft.handle.describe()).run_id
    for turn in range(8):
        await draft.save("project", {"title": f"{turn}"})
    assert (await draft.handle.describe()).run_id != first
    assert await is_blocked(draft)
    assert (await resolves(draft, "skip")).effect == "record_deposits"
    assert not await is_blocked(draft)
    progress = await draft.progress()
    assert progress.recheck_at is not None
    with pytest.raises(WorkflowUpdateFailedError) as raised:
        await resolves(draft, "retry")
    nothing = refusal_in(raised.value)
    assert nothing is not None
    assert nothing.error.code == "nothing_to_do"
