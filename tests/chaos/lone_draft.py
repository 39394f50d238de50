"""One draft on the test's own database and task queue, driven without the API."""

import json
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from sqlalchemy import text
from temporalio.api.activity.v1 import ActivityOptions
from temporalio.api.workflowservice.v1 import ResetStickyTaskQueueRequest, UpdateActivityOptionsRequest
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy

import worker
from embedded.platform import REPOSITORY
from embedded.process import Child
from manifests.reader import open_manifest
from schemas.contracts.backups import OpenBackup, SaveStep, operation_id
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


class Draft:
    """A draft whose first worker is mortal, and the next one sound."""

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
