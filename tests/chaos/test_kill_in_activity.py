"""kill -9 of the worker in each activity, before and after its commit: one effect, one answer."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any
from uuid import UUID, uuid4

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from sqlalchemy import text
from temporalio.api.activity.v1 import ActivityOptions
from temporalio.api.workflowservice.v1 import ResetStickyTaskQueueRequest, UpdateActivityOptionsRequest
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.testing import TimeSkipper

import worker
from embedded.platform import REPOSITORY
from embedded.process import Child
from manifests.reader import open_manifest
from rules.engine.judge import Judge
from rules.engine.load import load_rulebook
from rules.engine.release import Release
from schemas.contracts.backups import CheckDeposits, OpenBackup, SaveStep, Submit, Withdraw, operation_id
from settings import Settings
from store.accounts import Profile, sign_in
from store.database import connect, writing
from store.encryption import ColumnCipher
from store.forms import FormStore
from store.manifests import add_manifest
from store.releases import Rulebook
from store.signers import DevelopmentSigners
from wire.keys import KeyRing
from workflows.backup_creation import BackupCreation

EXAMPLES = REPOSITORY / "examples"
UNIT = "12990000EX00000106"
ON_ITS_WAY = (
    "file_name,repository,accession,run,category,data_type,deposit\n"
    "LC009.bam,gsa-human,HRA009001,HRR1900001,wgs,raw,in_transit\n"
)
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


class Stage:
    """One draft, its database, and a task queue on which first a mortal worker listens, then a sound one."""

    def __init__(self, settings: Settings, client: Client, rulebook: Rulebook, folder: Path) -> None:
        self.settings, self.client, self.rulebook, self.folder = settings, client, rulebook, folder
        self.engine = connect(settings.database_url.get_secret_value())
        self.cipher = ColumnCipher(KeyRing.load(settings.keys_file))
        self.forms = FormStore(self.cipher)
        self.account, self.backup = uuid4(), uuid4()
        self.handle = client.get_workflow_handle_for(BackupCreation.run, f"backup-{self.backup}")
        profile = Profile(self.account, "张示例", "+8615400000001", UNIT, "示例医院", True, True, False)
        with writing(self.engine) as writer:
            sign_in(writer, self.cipher, profile, datetime.now(UTC))
            DevelopmentSigners(settings.rule_signers).publish(writer, rulebook.release)

    # --- what a person does, as the API would ask for it ------------------------------------------

    async def save_form(self, step: str, update_id: str) -> Any:
        content = json.loads((EXAMPLES / f"{step}.json").read_text("utf-8"))
        content_id = uuid4()
        with writing(self.engine) as writer:
            digest = self.forms.add(writer, content_id, self.account, self.rulebook.release, step, content)
        return await self._save(step, content_id, digest, update_id)

    async def save_list(self, path: Path, update_id: str) -> Any:
        content_id = uuid4()
        with writing(self.engine) as writer:
            manifest = open_manifest(path, "text/csv")
            add_manifest(writer, manifest, content_id, self.account, "0" * 64, self.rulebook, "data-file")
        return await self._save("data-files", content_id, "0" * 64, update_id)

    async def _save(self, step: str, content_id: UUID, digest: str, update_id: str) -> Any:
        opening = OpenBackup(backup_id=self.backup, creator_id=self.account, unit_code=UNIT)
        start = WithStartWorkflowOperation(
            BackupCreation.run,
            opening,
            id=self.handle.id,
            task_queue=self.settings.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            task_timeout=timedelta(seconds=1),  # after so long the server misses a dead worker
        )
        return await self.client.execute_update_with_start_workflow(
            BackupCreation.save_step,
            SaveStep(step=step, revision=0, content_id=content_id, sha256=digest, account_id=self.account),
            start_workflow_operation=start,
            id=update_id,
        )

    async def fill(self) -> None:
        await self.save_form("project", "save-1")
        await self.save_form("backup-information", "save-2")
        await self.save_list(EXAMPLES / "file-list.csv", "save-3")

    async def await_deposit(self) -> None:
        path = self.folder / "list.csv"
        path.write_text(ON_ITS_WAY)
        saved = await self.save_list(path, "save-1")
        assert saved.awaiting == ["gsa-human"]

    # --- what is to be seen -----------------------------------------------------------------------

    def value(self, query: str) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(text(query)).scalar_one()

    def outcome(self, update_id: str) -> Any:
        """What the ledger says of one change; None while it is not committed."""
        with self.engine.connect() as connection:
            id_ = operation_id(self.backup, update_id)
            query = text("SELECT outcome FROM operation WHERE id = :id")
            return connection.execute(query, {"id": id_}).scalar_one_or_none()

    # --- workers ----------------------------------------------------------------------------------

    @contextmanager
    def mortal_worker(self, activity: str, moment: str) -> Iterator[Child]:
        script = Path(__file__).with_name("mortal_worker.py")
        child = Child(
            "mortal worker",
            [sys.executable, script, activity, moment],
            self.folder / "mortal.log",
            environment={**self.settings.environment(), "PYTHONPATH": str(REPOSITORY)},
        )
        try:
            yield child
        finally:
            child.kill()

    @asynccontextmanager
    async def sound_worker(self) -> AsyncIterator[None]:
        with ThreadPoolExecutor(worker.THREADS) as threads:
            async with worker.build(self.settings, self.client, threads):
                yield

    async def miss_the_dead_worker(self, activity: str) -> None:
        """Spare the test the minutes after which the server gives an activity's worker up by itself."""
        execution = (await self.handle.describe()).raw_description.workflow_execution_info.execution
        soon = Duration(seconds=1)
        paths = ["start_to_close_timeout", "heartbeat_timeout"]
        await self.client.workflow_service.update_activity_options(
            UpdateActivityOptionsRequest(
                namespace=self.client.namespace,
                execution=execution,
                type=activity,
                activity_options=ActivityOptions(start_to_close_timeout=soon, heartbeat_timeout=soon),
                update_mask=FieldMask(paths=paths),
            )
        )
        await self.client.workflow_service.reset_sticky_task_queue(
            ResetStickyTaskQueueRequest(namespace=self.client.namespace, execution=execution)
        )


@pytest.fixture
def stage(settings: Settings, client: Client, rulebook: Rulebook, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(settings, client, rulebook, tmp_path)
    yield stage
    stage.engine.dispose()


async def killed_and_done(
    stage: Stage,
    activity: str,
    moment: str,
    act: Callable[[], Awaitable[Any]],
    prepare: Callable[[], Awaitable[None]] | None = None,
) -> Any:
    """What the act answers although the first worker dies in it, at that moment of that activity."""
    with stage.mortal_worker(activity, moment) as mortal:
        if prepare is not None:
            await prepare()
        acting = asyncio.ensure_future(act())
        deadline = time.monotonic() + PATIENCE
        while mortal.alive:
            assert not acting.done(), "the worker was to die first"
            assert time.monotonic() < deadline, "the worker was to die"
            await asyncio.sleep(0.02)
    return acting


BEFORE_AND_AFTER = pytest.mark.parametrize("moment", ["before_commit", "after_commit"])


@BEFORE_AND_AFTER
async def test_a_first_save_opens_one_whole_draft(stage: Stage, moment: str) -> None:
    acting = await killed_and_done(stage, "record_step", moment, lambda: stage.save_form("project", "save-1"))
    assert (stage.outcome("save-1") is not None) == (moment == "after_commit")
    assert stage.value("SELECT count(*) FROM backup") == (moment == "after_commit")
    async with stage.sound_worker():
        saved = await acting
        assert saved == await stage.handle.get_update_handle("save-1", result_type=type(saved)).result()
        assert saved.revision == 1
        assert stage.outcome("save-1")["saved"] == saved.model_dump(mode="json")
        assert stage.value("SELECT array_agg(revision) FROM backup_step") == [1]
        assert stage.value("SELECT count(*) FROM backup") == 1
        assert (await stage.save_form("backup-information", "save-2")).revision == 1


@BEFORE_AND_AFTER
async def test_a_submission_gives_one_number(stage: Stage, moment: str) -> None:
    def submit() -> Awaitable[Any]:
        return stage.handle.execute_update(BackupCreation.submit, Submit(account_id=stage.account), id="go")

    acting = await killed_and_done(stage, "seal_backup", moment, submit, stage.fill)
    assert (stage.outcome("go") is not None) == (moment == "after_commit")
    async with stage.sound_worker():
        verdict = await acting
        assert verdict == await submit()
        assert (await stage.handle.result()).number == verdict.number
    assert verdict.number is not None
    assert stage.outcome("go")["verdict"] == verdict.model_dump(mode="json")
    assert stage.value("SELECT array_agg(number) FROM backup") == [verdict.number]
    assert stage.value("SELECT array_agg(last) FROM number_serial") == [1]
    assert stage.value("SELECT count(*) FROM operation") == 4


@BEFORE_AND_AFTER
async def test_a_withdrawal_closes_once(stage: Stage, moment: str) -> None:
    def withdraw() -> Awaitable[Any]:
        order = Withdraw(account_id=stage.account)
        return stage.handle.execute_update(BackupCreation.withdraw, order, id="stop")

    async def prepare() -> None:
        await stage.save_form("project", "save-1")

    acting = await killed_and_done(stage, "close_backup", moment, withdraw, prepare)
    assert (stage.outcome("stop") is not None) == (moment == "after_commit")
    async with stage.sound_worker():
        assert (await acting).state == "withdrawn"
        assert await acting == await withdraw() == await stage.handle.result()
    assert stage.outcome("stop") == {"state": "withdrawn", "number": None}
    assert stage.value("SELECT state FROM backup") == "withdrawn"
    assert stage.value("SELECT count(*) FROM backup_step") == 1


@BEFORE_AND_AFTER
async def test_a_draft_expires_once(stage: Stage, time_skipper: TimeSkipper, moment: str) -> None:
    async def prepare() -> None:
        await stage.save_form("project", "save-1")

    acting = await killed_and_done(
        stage, "close_backup", moment, lambda: time_skipper.fast_forward(stage.handle, 181 * DAY), prepare
    )
    assert (stage.outcome("expiry") is not None) == (moment == "after_commit")
    async with stage.sound_worker():
        assert (await stage.handle.result()).state == "expired"
        acting.cancel()
    assert stage.value("SELECT state FROM backup") == "expired"
    assert stage.value("SELECT count(*) FROM operation WHERE outcome ->> 'state' = 'expired'") == 1
    assert stage.value("SELECT count(*) FROM backup_step") == 1


@BEFORE_AND_AFTER
async def test_a_reminder_is_left_once(stage: Stage, time_skipper: TimeSkipper, moment: str) -> None:
    async def prepare() -> None:
        await stage.save_form("project", "save-1")

    acting = await killed_and_done(
        stage, "send_reminder", moment, lambda: time_skipper.fast_forward(stage.handle, 151 * DAY), prepare
    )
    assert stage.value("SELECT count(*) FROM notice") == (moment == "after_commit")
    async with stage.sound_worker():
        await acting
        assert stage.value("SELECT count(*) FROM notice") == 1
        progress = await stage.handle.query(BackupCreation.progress)
        assert len(progress.remind_at) == 1, "the second reminder is still due"


def attest(stage: Stage) -> Awaitable[Any]:
    heard = CheckDeposits(account_id=stage.account, attested="gsa-human")
    return stage.handle.execute_update(BackupCreation.check_deposits, heard, id="heard")


@BEFORE_AND_AFTER
async def test_an_arrived_deposit_is_recorded_once(stage: Stage, moment: str) -> None:
    acting = await killed_and_done(
        stage, "record_deposits", moment, lambda: attest(stage), stage.await_deposit
    )
    assert (stage.outcome("heard") is not None) == (moment == "after_commit")
    waits = "SELECT state = 'waiting_for_deposit' FROM backup"
    assert stage.value(waits) == (moment == "before_commit")
    async with stage.sound_worker():
        assert (await acting).awaiting == []
        assert await acting == await attest(stage)
    assert stage.outcome("heard") == {"awaiting": []}
    assert stage.value("SELECT array_agg(result) FROM deposit_check") == ["attested"]
    assert stage.value("SELECT state FROM backup") == "draft"


@pytest.mark.parametrize("moment", ["after_begin", "after_transaction_end"])
async def test_a_look_up_is_made_again_and_the_draft_goes_on_waiting(stage: Stage, moment: str) -> None:
    def ask() -> Awaitable[Any]:
        order = CheckDeposits(account_id=stage.account)
        return stage.handle.execute_update(BackupCreation.check_deposits, order, id="ask")

    acting = await killed_and_done(stage, "look_up", moment, ask, stage.await_deposit)
    await stage.miss_the_dead_worker("look_up")
    async with stage.sound_worker():
        assert (await acting).awaiting == ["gsa-human"]
        assert await acting == await ask()
    assert stage.outcome("ask") == {"awaiting": ["gsa-human"]}
    assert stage.value("SELECT array_agg(result) FROM deposit_check") == ["unavailable"]
    assert stage.value("SELECT state FROM backup") == "waiting_for_deposit"


@BEFORE_AND_AFTER
async def test_a_list_is_judged_anew_once_and_then_numbered(
    stage: Stage, next_release: Release, moment: str
) -> None:
    async def prepare() -> None:
        await stage.fill()
        with writing(stage.engine) as writer:
            DevelopmentSigners(stage.settings.rule_signers).publish(writer, next_release)

    def submit() -> Awaitable[Any]:
        return stage.handle.execute_update(BackupCreation.submit, Submit(account_id=stage.account), id="go")

    acting = await killed_and_done(stage, "judge_manifest", moment, submit, prepare)
    assert stage.value("SELECT count(*) FROM manifest_judgement") == 1 + (moment == "after_commit")
    assert stage.outcome("go") is None
    await stage.miss_the_dead_worker("judge_manifest")
    async with stage.sound_worker():
        verdict = await acting
        assert verdict == await submit()
    assert verdict.release == next_release.digest
    assert verdict.number is not None
    assert stage.value("SELECT count(*) FROM manifest_judgement") == 2
    assert stage.value("SELECT array_agg(last) FROM number_serial") == [1]
    by_release = "SELECT count(DISTINCT n) FROM (SELECT count(*) AS n FROM manifest_finding {}) AS counts"
    assert stage.value(by_release.format("GROUP BY release_digest")) <= 1, "no finding is there twice"
