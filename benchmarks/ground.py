"""What the measurements stand on: the embedded platform, a worker in this process, a person, contents."""

import json
import shutil
import time
from collections.abc import AsyncIterator, Awaitable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
from sqlalchemy import Engine
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

import worker
from api import commands
from api.tokens import DevelopmentIssuer
from benchmarks.bare import Bare, Nothing, OneRow, nothing
from cli.preparation import prepare
from embedded import platform as embedded_platform
from embedded.platform import REPOSITORY, Platform
from manifests.reader import open_manifest
from schemas.contracts.backups import OpenBackup, SaveStep
from store.database import connect, writing
from store.encryption import ColumnCipher
from store.forms import FormStore
from store.manifests import add_manifest
from store.releases import Rulebook, Rulebooks
from wire.client import connect as connect_temporal
from wire.keys import KeyRing
from workflows.backup_creation import BackupCreation

EXAMPLES = REPOSITORY / "examples"
BARE_QUEUE = "bare"
FORMS = {"project": "project", "backup-information": "backup-information"}
"""Step → form, each with an example of that name."""


@dataclass(frozen=True)
class Ground:
    """A running platform, and what it takes to bring a backup to any point of its way."""

    folder: Path
    platform: Platform
    client: Client
    http: httpx2.AsyncClient
    engine: Engine
    forms: FormStore
    rulebook: Rulebook
    account_id: UUID
    unit_code: str

    @property
    def queue(self) -> str:
        """Task queue of the backup worker."""
        return self.platform.settings.task_queue

    def form(self, step: str) -> UUID:
        """Store the example of a form step; its content id."""
        content_id = uuid4()
        content: dict[str, Any] = json.loads((EXAMPLES / f"{step}.json").read_text("utf-8"))
        with writing(self.engine) as writer:
            self.forms.add(writer, content_id, self.account_id, self.rulebook.release, FORMS[step], content)
        return content_id

    def manifest(self) -> UUID:
        """Store the example list; its content id."""
        content_id = uuid4()
        example = open_manifest(EXAMPLES / "file-list.csv", None)
        with writing(self.engine) as writer:
            add_manifest(writer, example, content_id, self.account_id, "", self.rulebook, "data-file")
        return content_id

    def save(self, step: str, content_id: UUID, revision: int = 0) -> SaveStep:
        """The command that saves a stored content."""
        return SaveStep(
            step=step,
            revision=revision,
            content_id=content_id,
            sha256="0" * 64,
            account_id=self.account_id,
        )

    async def opened(self) -> UUID:
        """A draft whose first step is saved."""
        backup_id = uuid4()
        opening = OpenBackup(backup_id=backup_id, creator_id=self.account_id, unit_code=self.unit_code)
        command = self.save("project", self.form("project"))
        await commands.open_backup(
            self.client, self.queue, opening, BackupCreation.save_step, command, str(uuid4())
        )
        return backup_id

    async def filled(self) -> UUID:
        """A draft whose three steps are saved."""
        backup_id = await self.opened()
        for command in (
            self.save("backup-information", self.form("backup-information")),
            self.save("data-files", self.manifest()),
        ):
            await self.update(backup_id, BackupCreation.save_step, command)
        return backup_id

    async def update(self, backup_id: UUID, change: Any, command: object) -> None:
        """Ask a backup's workflow for a change, as the API does."""
        await commands.update(self.client, backup_id, change, command, str(uuid4()))

    @asynccontextmanager
    async def fresh_api(self) -> AsyncIterator[httpx2.AsyncClient]:
        """HTTP to an API process that has done nothing yet, in place of the one before."""
        self.platform.stop_api()
        self.platform.start_api()
        async with signed_in(self.platform) as http:
            (await http.get("/v1/backups")).raise_for_status()  # connects to the database, compiles the rules
            yield http

    async def history(self, workflow_id: str) -> tuple[int, int]:
        """Events and bytes of a workflow's history."""
        history = await self.client.get_workflow_handle(workflow_id).fetch_history()
        return len(history.events), sum(event.ByteSize() for event in history.events)


@asynccontextmanager
async def prepared(folder: Path) -> AsyncIterator[Ground]:
    """Start everything on a fresh folder; stop and remove it at the end."""
    shutil.rmtree(folder, ignore_errors=True)
    with (
        embedded_platform.running(folder) as platform,
        ThreadPoolExecutor(worker.THREADS) as threads,
    ):
        settings = platform.settings
        prepare(settings)
        platform.start_api()
        engine = connect(settings.database_url.get_secret_value())
        client = await connect_temporal(settings)
        with writing(engine) as writer:
            rulebook = Rulebooks(settings.rule_signers).in_force(writer, datetime.now(UTC))
        async with (
            worker.build(settings, client, threads, sandboxed=False),
            bare_worker(client, threads, engine),
            signed_in(platform) as http,
        ):
            me = (await http.post("/v1/me/sign-ins", headers=key())).raise_for_status().json()
            yield Ground(
                folder=folder,
                platform=platform,
                client=client,
                http=http,
                engine=engine,
                forms=FormStore(ColumnCipher(KeyRing.load(settings.keys_file))),
                rulebook=rulebook,
                account_id=UUID(me["account_id"]),
                unit_code=me["unit_code"],
            )
        engine.dispose()
    shutil.rmtree(folder, ignore_errors=True)


def bare_worker(client: Client, threads: ThreadPoolExecutor, engine: Engine) -> Worker:
    """A worker with the settings of ours, for the bare workflows."""
    row = OneRow(engine)
    row.create()
    return Worker(
        client,
        task_queue=BARE_QUEUE,
        workflows=[Nothing, Bare],
        activities=[nothing, row.change_row],
        workflow_runner=UnsandboxedWorkflowRunner(),
        activity_executor=threads,
        max_concurrent_activities=worker.THREADS,
        max_concurrent_local_activities=worker.THREADS,
    )


def signed_in(platform: Platform) -> httpx2.AsyncClient:
    """HTTP as a person."""
    token = DevelopmentIssuer(Path(platform.settings.jwks).parent).token("zhang")
    return httpx2.AsyncClient(
        base_url=platform.api_url, headers={"Authorization": f"Bearer {token}"}, timeout=600
    )


def key() -> dict[str, str]:
    """Header of a new action."""
    return {"Idempotency-Key": str(uuid4())}


async def seconds(act: Awaitable[object]) -> float:
    """How long something takes."""
    started = time.perf_counter()
    await act
    return time.perf_counter() - started
