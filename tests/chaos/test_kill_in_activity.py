"""kill -9 of the worker in each activity, before and after its commit: one effect, one answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from datetime import timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from lone_draft import Draft
from mortal_worker import LAST_WORDS
from temporalio.client import Client
from temporalio.testing import TimeSkipper

from embedded.platform import REPOSITORY
from embedded.process import Child
from rules.engine.judge import Judge
from rules.engine.load import load_rulebook
from rules.engine.release import Release
from schemas.contracts.backups import CheckDeposits, Submit, Withdraw
from settings import Settings
from store.database import writing
from store.releases import Rulebook
from store.signers import DevelopmentSigners
from workflows.backup_creation import BackupCreation

PATIENCE = 40
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def rulebook() -> Rulebook:
    release = load_rulebook(REPOSITORY / "rules")
    return Rulebook(release, Judge(release))


@pytest.fixture(scope="module")
def next_release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The same rules under a later version: every list has to be judged anew."""
    folder = copytree(REPOSITORY / "rules", tmp_path_factory.mktemp("next") / "rules")
    path = folder / "rulebook.yaml"
    path.write_text(path.read_text().replace("version: 2026.11.1", "version: 2026.11.99"))
    return load_rulebook(folder)


@pytest.fixture
def draft(settings: Settings, client: Client, rulebook: Rulebook, tmp_path: Path) -> Iterator[Draft]:
    draft = Draft(settings, client, rulebook, tmp_path)
    yield draft
    draft.engine.dispose()


async def dead_or_done(mortal: Child, doing: asyncio.Future[Any]) -> None:
    """Wait for one or the other; a worker that did not even start has told why in its log."""
    deadline = time.monotonic() + PATIENCE
    while mortal.alive and not doing.done():
        assert time.monotonic() < deadline, mortal.log.read_text()
        await asyncio.sleep(0.02)
    assert mortal.alive or LAST_WORDS in mortal.log.read_text(), mortal.log.read_text()


async def killed_and_done(
    draft: Draft,
    activity: str,
    moment: str,
    act: Callable[[], Awaitable[Any]],
    prepare: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> Any:
    """What the act answers although the first worker dies in it, at that moment of that activity."""
    with draft.mortal_worker(activity, moment) as mortal:
        if prepare is not None:
            preparing = asyncio.ensure_future(prepare())
            await dead_or_done(mortal, preparing)
            await preparing
        acting = asyncio.ensure_future(act())
        await dead_or_done(mortal, acting)
        assert LAST_WORDS in mortal.log.read_text(), "the worker was to die at that moment, and first"
    return acting


BEFORE_AND_AFTER = pytest.mark.parametrize("moment", ["before_commit", "after_commit"])


@BEFORE_AND_AFTER
async def test_a_first_save_opens_one_whole_draft(draft: Draft, moment: str) -> None:
    acting = await killed_and_done(draft, "record_step", moment, lambda: draft.save_form("project", "save-1"))
    assert (draft.outcome("save-1") is not None) == (moment == "after_commit")
    assert draft.value("SELECT count(*) FROM backup") == (moment == "after_commit")
    async with draft.sound_worker():
        saved = await acting
        assert saved == await draft.handle.get_update_handle("save-1", result_type=type(saved)).result()
        assert saved.revision == 1
        assert draft.outcome("save-1")["saved"] == saved.model_dump(mode="json")
        assert draft.value("SELECT array_agg(revision) FROM backup_step") == [1]
        assert draft.value("SELECT count(*) FROM backup") == 1
        assert (await draft.save_form("backup-information", "save-2")).revision == 1


@BEFORE_AND_AFTER
async def test_a_submission_gives_one_number(draft: Draft, moment: str) -> None:
    def submit() -> Awaitable[Any]:
        return draft.handle.execute_update(BackupCreation.submit, Submit(account_id=draft.account), id="go")

    acting = await killed_and_done(draft, "seal_backup", moment, submit, draft.fill)
    assert (draft.outcome("go") is not None) == (moment == "after_commit")
    async with draft.sound_worker():
        verdict = await acting
        assert verdict == await submit()
        assert (await draft.handle.result()).number == verdict.number
    assert verdict.number is not None
    assert draft.outcome("go")["verdict"] == verdict.model_dump(mode="json")
    assert draft.value("SELECT array_agg(number) FROM backup") == [verdict.number]
    assert draft.value("SELECT array_agg(last) FROM number_serial") == [1]
    assert draft.value("SELECT count(*) FROM operation") == 4


@BEFORE_AND_AFTER
async def test_a_withdrawal_closes_once(draft: Draft, moment: str) -> None:
    def withdraw() -> Awaitable[Any]:
        order = Withdraw(account_id=draft.account)
        return draft.handle.execute_update(BackupCreation.withdraw, order, id="stop")

    async def prepare() -> None:
        await draft.save_form("project", "save-1")

    acting = await killed_and_done(draft, "close_backup", moment, withdraw, prepare)
    assert (draft.outcome("stop") is not None) == (moment == "after_commit")
    async with draft.sound_worker():
        assert (await acting).state == "withdrawn"
        assert await acting == await withdraw() == await draft.handle.result()
    assert draft.outcome("stop") == {"state": "withdrawn", "number": None}
    assert draft.value("SELECT state FROM backup") == "withdrawn"
    assert draft.value("SELECT count(*) FROM backup_step") == 1


@BEFORE_AND_AFTER
async def test_a_draft_expires_once(draft: Draft, time_skipper: TimeSkipper, moment: str) -> None:
    async def prepare() -> None:
        await draft.save_form("project", "save-1")

    acting = await killed_and_done(
        draft, "close_backup", moment, lambda: time_skipper.fast_forward(draft.handle, 181 * DAY), prepare
    )
    assert (draft.outcome("expiry") is not None) == (moment == "after_commit")
    async with draft.sound_worker():
        assert (await draft.handle.result()).state == "expired"
        acting.cancel()
    assert draft.value("SELECT state FROM backup") == "expired"
    assert draft.value("SELECT count(*) FROM operation WHERE outcome ->> 'state' = 'expired'") == 1
    assert draft.value("SELECT count(*) FROM backup_step") == 1


@BEFORE_AND_AFTER
async def test_a_reminder_is_left_once(draft: Draft, time_skipper: TimeSkipper, moment: str) -> None:
    async def prepare() -> None:
        await draft.save_form("project", "save-1")

    acting = await killed_and_done(
        draft, "send_reminder", moment, lambda: time_skipper.fast_forward(draft.handle, 151 * DAY), prepare
    )
    assert draft.value("SELECT count(*) FROM notice") == (moment == "after_commit")
    async with draft.sound_worker():
        await acting
        assert draft.value("SELECT count(*) FROM notice") == 1
        progress = await draft.handle.query(BackupCreation.progress)
        assert len(progress.remind_at) == 1, "the second reminder is still due"


def attest(draft: Draft) -> Awaitable[Any]:
    heard = CheckDeposits(account_id=draft.account, attested="gsa-human")
    return draft.handle.execute_update(BackupCreation.check_deposits, heard, id="heard")


@BEFORE_AND_AFTER
async def test_an_arrived_deposit_is_recorded_once(draft: Draft, moment: str) -> None:
    acting = await killed_and_done(
        draft, "record_deposits", moment, lambda: attest(draft), draft.await_deposit
    )
    assert (draft.outcome("heard") is not None) == (moment == "after_commit")
    waits = "SELECT state = 'waiting_for_deposit' FROM backup"
    assert draft.value(waits) == (moment == "before_commit")
    async with draft.sound_worker():
        assert (await acting).awaiting == []
        assert await acting == await attest(draft)
    assert draft.outcome("heard") == {"awaiting": []}
    assert draft.value("SELECT array_agg(result) FROM deposit_check") == ["attested"]
    assert draft.value("SELECT state FROM backup") == "draft"


@pytest.mark.parametrize("moment", ["after_begin", "after_transaction_end"])
async def test_a_look_up_is_made_again_and_the_draft_goes_on_waiting(draft: Draft, moment: str) -> None:
    def ask() -> Awaitable[Any]:
        order = CheckDeposits(account_id=draft.account)
        return draft.handle.execute_update(BackupCreation.check_deposits, order, id="ask")

    acting = await killed_and_done(draft, "look_up", moment, ask, draft.await_deposit)
    await draft.miss_the_dead_worker("look_up")
    async with draft.sound_worker():
        assert (await acting).awaiting == ["gsa-human"]
        assert await acting == await ask()
    assert draft.outcome("ask") == {"awaiting": ["gsa-human"]}
    assert draft.value("SELECT array_agg(result) FROM deposit_check") == ["unavailable"]
    assert draft.value("SELECT state FROM backup") == "waiting_for_deposit"


@BEFORE_AND_AFTER
async def test_a_list_is_judged_anew_once_and_then_numbered(
    draft: Draft, next_release: Release, moment: str
) -> None:
    async def prepare() -> None:
        await draft.fill()
        with writing(draft.engine) as writer:
            DevelopmentSigners(draft.settings.rule_signers).publish(writer, next_release)

    def submit() -> Awaitable[Any]:
        return draft.handle.execute_update(BackupCreation.submit, Submit(account_id=draft.account), id="go")

    acting = await killed_and_done(draft, "judge_manifest", moment, submit, prepare)
    assert draft.value("SELECT count(*) FROM manifest_judgement") == 1 + (moment == "after_commit")
    assert draft.outcome("go") is None
    await draft.miss_the_dead_worker("judge_manifest")
    async with draft.sound_worker():
        verdict = await acting
        assert verdict == await submit()
    assert verdict.release == next_release.digest
    assert verdict.number is not None
    assert draft.value("SELECT count(*) FROM manifest_judgement") == 2
    assert draft.value("SELECT array_agg(last) FROM number_serial") == [1]
    by_release = "SELECT count(DISTINCT n) FROM (SELECT count(*) AS n FROM manifest_finding {}) AS counts"
    assert draft.value(by_release.format("GROUP BY release_digest")) <= 1, "no finding is there twice"
