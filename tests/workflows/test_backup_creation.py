"""The procedure of the backup creation workflow, step by step, on the real servers."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from backup_desk import GOOD, PROJECT, Desk, Draft, Repositories, file_list, refused
from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import TimeSkipper

from activities.backups import BackupActivities
from schemas.contracts.backups import SealBackup, StepSaved, Submit
from schemas.tables.backups import BackupState
from wire import search_attributes
from workflows.backup_creation import BackupCreation

DAY = timedelta(days=1)


async def shown(draft: Draft) -> str:
    """The stage that operators see in Temporal."""
    return str((await draft.handle.describe()).typed_search_attributes[search_attributes.STAGE])


# --- 1, 2: saving ---------------------------------------------------------------------------------


@pytest.mark.parametrize("first", GOOD)
async def test_the_first_save_of_any_step_opens_the_draft(desk: Desk, first: str) -> None:
    draft = desk.draft()
    saved = await draft.save(first, GOOD[first])
    row = draft.row()
    assert (saved.step, saved.revision) == (first, 1)
    assert (row.state, row.creator_id, row.delegate_id) == (BackupState.DRAFT, desk.account, desk.account)
    assert saved.expires_at == row.expires_at == row.saved_at + 180 * DAY
    assert await shown(draft) == "draft"


async def test_steps_are_saved_in_any_order_and_as_often_as_wanted(desk: Desk) -> None:
    draft = desk.draft()
    order = ["data-files", "project", "data-files", "backup-information", "project", "project"]
    revisions = [(await draft.save(step, GOOD[step])).revision for step in order]
    assert revisions == [1, 1, 2, 1, 2, 3]
    assert (await draft.progress()).revisions == {"data-files": 2, "project": 3, "backup-information": 1}
    assert (await draft.submit()).accepted


async def test_a_save_never_fails_for_what_it_says(desk: Desk) -> None:
    draft = desk.draft()
    assert (await draft.save("project", {})).revision == 1
    assert (await draft.save("project", {"title": 7, "no such field": None})).revision == 2
    assert (await draft.save("data-files", file_list(md5=False))).revision == 1
    assert draft.row().state == BackupState.DRAFT


async def test_a_stale_save_is_refused_without_a_trace_in_the_history(desk: Desk) -> None:
    draft = desk.draft()
    await draft.save("project", GOOD["project"])
    await draft.save("project", GOOD["project"])
    before = (await draft.history()).events
    for revision in (0, 1, 3):
        assert await refused(draft.save("project", GOOD["project"], revision)) == "stale_revision"
    assert await refused(draft.save("backup-information", {}, 1)) == "stale_revision"
    assert (await draft.history()).events == before


@pytest.mark.parametrize("step", ["project", "backup-information"])
async def test_of_two_saves_of_the_same_revision_at_once_one_wins_and_one_is_told(
    desk: Desk, step: str
) -> None:
    draft = desk.draft()
    await draft.save("project", GOOD["project"])
    rivals = [draft.command(step, {**PROJECT, "title": f"课题{n}号项目"}) for n in range(2)]
    answers = await asyncio.gather(*(draft.send_save(rival) for rival in rivals), return_exceptions=True)
    assert [isinstance(answer, StepSaved) for answer in answers].count(True) == 1
    assert (await draft.progress()).revisions[step] == rivals[0].revision + 1


async def test_a_draft_whose_first_save_is_refused_never_comes_to_be(desk: Desk) -> None:
    draft = desk.draft()
    command = draft.command("project", GOOD["project"]).model_copy(update={"step": "no-such-step"})
    with pytest.raises(Exception, match="unknown_step"):
        await draft.send_save(command)
    assert (await asyncio.wait_for(draft.handle.result(), 20)).state == "refused"


async def test_only_the_delegate_may_change_a_draft(desk: Desk) -> None:
    draft = await desk.filled()
    stranger = Draft(replace(desk, account=uuid4()), draft.opening, dict(draft.revisions))
    stranger_s_save = draft.command("project", {}).model_copy(update={"account_id": uuid4()})
    assert await refused(stranger.send_save(stranger_s_save)) == "not_allowed"
    assert await refused(stranger.submit()) == "not_allowed"
    assert await refused(stranger.withdraw()) == "not_allowed"
    assert await refused(stranger.check_deposits("gvm")) == "not_allowed"
    assert (await draft.submit()).accepted


# --- 3: waiting for deposits ----------------------------------------------------------------------


async def test_a_list_with_deposits_on_their_way_makes_the_draft_wait_for_their_repositories(
    desk: Desk,
) -> None:
    draft = await desk.filled()
    saved = await draft.save("data-files", file_list(in_transit=["gvm", "gsa-human"]))
    assert saved.awaiting == ["gsa-human", "gvm"]
    assert draft.row().state == BackupState.WAITING_FOR_DEPOSIT
    assert await shown(draft) == "waiting_for_deposit"
    verdict = await draft.submit()
    assert (verdict.accepted, verdict.awaiting) == (False, ["gsa-human", "gvm"])
    assert (await draft.save("data-files", file_list())).awaiting == []
    assert draft.row().state == BackupState.DRAFT
    assert await shown(draft) == "draft"
    assert (await draft.submit()).accepted


async def test_a_person_s_word_for_each_repository_ends_the_wait(desk: Desk) -> None:
    draft = await desk.filled()
    await draft.save("data-files", file_list(in_transit=["gvm", "gsa-human"]))
    assert (await draft.check_deposits("gvm")).awaiting == ["gsa-human"]
    assert draft.row().state == BackupState.WAITING_FOR_DEPOSIT
    assert (await draft.check_deposits("gsa-human")).awaiting == []
    assert draft.row().state == BackupState.DRAFT
    assert (await draft.submit()).accepted


async def test_a_repository_that_shows_the_deposit_ends_the_wait_and_one_that_does_not_show_it_does_not(
    desk: Desk, repositories: Repositories
) -> None:
    draft = await desk.filled()
    await draft.save("data-files", file_list(in_transit=["gvm", "gsa-human"]))
    repositories.results["gvm"] = "verified_public"
    assert (await draft.check_deposits()).awaiting == ["gsa-human"]
    repositories.results["gsa-human"] = "mismatch"
    assert (await draft.check_deposits()).awaiting == ["gsa-human"]


async def test_a_new_list_tells_anew_what_is_on_its_way(desk: Desk) -> None:
    draft = desk.draft()
    await draft.save("data-files", file_list(in_transit=["gvm"]))
    await draft.check_deposits("gvm")
    assert (await draft.save("data-files", file_list(2, in_transit=["gvm"]))).awaiting == ["gvm"]


async def test_every_day_the_repositories_are_asked_by_themselves_until_nothing_is_awaited(
    desk: Desk, repositories: Repositories, time_skipper: TimeSkipper
) -> None:
    draft = desk.draft()
    await draft.save("data-files", file_list(in_transit=["gvm"]))
    await time_skipper.fast_forward(draft.handle, 3.5 * DAY)
    assert repositories.asked == ["gvm"] * 3
    repositories.results["gvm"] = "verified_public"
    await time_skipper.fast_forward(draft.handle, DAY)
    assert draft.row().state == BackupState.DRAFT
    await time_skipper.fast_forward(draft.handle, 10 * DAY)
    assert repositories.asked == ["gvm"] * 4


@pytest.mark.parametrize("asked_by", ["a person", "the clock"])
async def test_a_slow_repository_holds_up_neither_saves_nor_a_withdrawal(
    desk: Desk, repositories: Repositories, time_skipper: TimeSkipper, asked_by: str
) -> None:
    draft = desk.draft()
    await draft.save("data-files", file_list(in_transit=["gvm"]))
    repositories.open.clear()
    try:
        by_person = asked_by == "a person"
        question = draft.check_deposits() if by_person else time_skipper.fast_forward(draft.handle, 1.5 * DAY)
        asking: asyncio.Task[object] = asyncio.create_task(question)
        await repositories.are_asked()
        await asyncio.wait_for(draft.save("project", GOOD["project"]), 10)
        assert (await asyncio.wait_for(draft.withdraw(), 10)).state == "withdrawn"
    finally:
        repositories.open.set()
    await asyncio.gather(asking, return_exceptions=True)
    assert (await asyncio.wait_for(draft.handle.result(), 20)).state == "withdrawn"


async def test_what_a_slow_repository_says_of_a_list_that_was_replaced_meanwhile_does_not_count(
    desk: Desk, repositories: Repositories
) -> None:
    draft = desk.draft()
    await draft.save("data-files", file_list(in_transit=["gvm"]))
    repositories.results["gvm"] = "verified_public"
    repositories.open.clear()
    asking = asyncio.ensure_future(draft.check_deposits())
    await repositories.are_asked()
    await draft.save("data-files", file_list(2, in_transit=["gvm"]))
    repositories.open.set()
    assert (await asking).awaiting == ["gvm"]
    assert (await draft.check_deposits()).awaiting == []


# --- 4, 5: reminders and expiry -------------------------------------------------------------------


async def test_the_delegate_is_reminded_30_and_7_days_before_the_draft_expires(
    desk: Desk, time_skipper: TimeSkipper
) -> None:
    draft = desk.draft()
    expires_at = (await draft.save("project", GOOD["project"])).expires_at
    await time_skipper.fast_forward(draft.handle, 149 * DAY)
    assert draft.notices() == []
    await time_skipper.fast_forward(draft.handle, 2 * DAY)
    assert [notice.due_at for notice in draft.notices()] == [expires_at]
    await time_skipper.fast_forward(draft.handle, 23 * DAY)
    first, second = draft.notices()
    assert {first.account_id, second.account_id} == {desk.account}
    assert [(expires_at - notice.created_at).days for notice in (first, second)] == [29, 6]
    assert draft.row().state == BackupState.DRAFT


async def test_a_draft_expires_180_days_after_its_last_save(desk: Desk, time_skipper: TimeSkipper) -> None:
    draft = desk.draft()
    await draft.save("project", GOOD["project"])
    assert await time_skipper.fast_forward(draft.handle, 179.9 * DAY), "still open"
    assert not await time_skipper.fast_forward(draft.handle, 0.2 * DAY), "closed"
    assert (await draft.handle.result()).state == "expired"
    row = draft.row()
    assert row.state == BackupState.EXPIRED
    assert row.closed_at is not None
    assert row.expires_at is not None
    assert row.closed_at - row.expires_at < timedelta(hours=1)
    assert len(draft.notices()) == 2


async def test_a_number_whose_update_a_crash_took_away_is_found_at_the_next_deadline(
    desk: Desk, time_skipper: TimeSkipper
) -> None:
    draft = await desk.filled()
    submission = SealBackup(
        operation_id=uuid4(),
        backup_id=draft.id,
        command=Submit(account_id=desk.account),
        at=datetime.now(UTC),
    )
    platform = desk.platform
    activities = BackupActivities(platform.engine, platform.rulebooks, platform.forms)
    sealed = activities.seal_backup(submission)
    assert sealed.verdict is not None
    await time_skipper.fast_forward(draft.handle, 181 * DAY)
    result = await draft.handle.result()
    assert (result.state, result.number) == ("numbered", sealed.verdict.number)
    assert draft.notices() == []


async def test_a_save_moves_the_deadline_on_and_replaces_the_reminders(
    desk: Desk, time_skipper: TimeSkipper
) -> None:
    draft = desk.draft()
    early = await draft.save("project", GOOD["project"])
    await time_skipper.fast_forward(draft.handle, 151 * DAY)
    late = await draft.save("project", GOOD["project"])
    assert (late.expires_at - early.expires_at).days == 151
    assert await time_skipper.fast_forward(draft.handle, 149 * DAY), "beyond the first deadline"
    assert [notice.due_at for notice in draft.notices()] == [early.expires_at]
    await time_skipper.fast_forward(draft.handle, 2 * DAY)
    assert [notice.due_at for notice in draft.notices()] == [early.expires_at, late.expires_at]
    assert not await time_skipper.fast_forward(draft.handle, 30 * DAY), "closed"
    assert (await draft.handle.result()).state == "expired"


async def test_a_submission_that_is_rejected_moves_no_deadline(desk: Desk, time_skipper: TimeSkipper) -> None:
    draft = desk.draft()
    await draft.save("project", GOOD["project"])
    await time_skipper.fast_forward(draft.handle, 100 * DAY)
    assert not (await draft.submit()).accepted
    assert not await time_skipper.fast_forward(draft.handle, 81 * DAY), "closed"
    assert (await draft.handle.result()).state == "expired"


# --- 6, 7, 8: withdrawal and submission -----------------------------------------------------------


async def test_a_draft_may_be_withdrawn_at_any_time(desk: Desk) -> None:
    draft = desk.draft()
    await draft.save("project", GOOD["project"])
    assert (await draft.withdraw()).state == "withdrawn"
    assert (await asyncio.wait_for(draft.handle.result(), 20)).state == "withdrawn"
    assert draft.row().state == BackupState.WITHDRAWN
    assert await shown(draft) == "withdrawn"


async def test_a_rejected_submission_tells_what_blocks_and_the_draft_goes_on(desk: Desk) -> None:
    draft = desk.draft()
    await draft.save("project", GOOD["project"])
    verdict = await draft.submit()
    assert (verdict.accepted, verdict.number) == (False, None)
    assert verdict.errors >= 2
    for step in ("backup-information", "data-files"):
        await draft.save(step, GOOD[step])
    assert (await draft.submit()).accepted


async def test_an_accepted_submission_seals_the_backup_and_numbers_it(desk: Desk) -> None:
    draft = await desk.filled()
    verdict = await draft.submit()
    assert verdict.accepted
    assert verdict.errors == 0
    result = await asyncio.wait_for(draft.handle.result(), 20)
    row = draft.row()
    assert (result.state, result.number) == ("numbered", verdict.number)
    assert (row.state, row.number, row.release_digest) == (
        BackupState.NUMBERED,
        verdict.number,
        verdict.release,
    )
    attributes = (await draft.handle.describe()).typed_search_attributes
    assert attributes[search_attributes.STAGE] == "numbered"
    assert attributes[search_attributes.BACKUP_NUMBER] == verdict.number


@pytest.mark.parametrize("end", ["numbered", "withdrawn"])
async def test_nothing_changes_a_closed_backup(desk: Desk, end: str) -> None:
    draft = await desk.filled()
    await (draft.submit() if end == "numbered" else draft.withdraw())
    await asyncio.wait_for(draft.handle.result(), 20)
    before = draft.row()
    command = draft.command("project", {})
    for asking in (draft.send_save(command), draft.submit(), draft.withdraw(), draft.check_deposits("gvm")):
        with pytest.raises(Exception, match="already completed"):
            await asking
    assert draft.row() == before
    assert (await draft.handle.describe()).status == WorkflowExecutionStatus.COMPLETED
    assert (await draft.handle.query(BackupCreation.progress)).revisions == draft.revisions
