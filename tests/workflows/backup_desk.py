"""A researcher's desk: everything a test needs to drive one draft on the real servers."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select
from temporalio.client import Client, WorkflowHandle, WorkflowHistory, WorkflowUpdateFailedError
from temporalio.workflow import UpdateMethodMultiParam

import worker
from activities.repositories import LookUp, Result
from api import commands
from api.platform import Platform
from manifests.reader import open_manifest
from rules.engine.release import Release
from schemas.contracts.backups import (
    CheckDeposits,
    Closed,
    DepositsChecked,
    OpenBackup,
    Progress,
    SaveStep,
    StepSaved,
    Submit,
    Verdict,
    Withdraw,
)
from schemas.tables.backups import Backup, Notice, Operation
from settings import Settings
from store.accounts import Profile, sign_in
from store.answer_keys import AnswerKeys
from store.database import connect, reading, writing
from store.eligibility import Eligibility
from store.encryption import ColumnCipher
from store.forms import FormStore
from store.manifests import add_manifest
from store.quotas import Quotas
from store.releases import Rulebooks
from store.signers import DevelopmentSigners
from wire.keys import KeyRing
from wire.refusals import refusal_in
from workflows.backup_creation import BackupCreation

EXAMPLES = Path(__file__).parents[2] / "examples"
PROJECT: dict[str, Any] = json.loads((EXAMPLES / "project.json").read_text("utf-8"))
INFORMATION: dict[str, Any] = json.loads((EXAMPLES / "backup-information.json").read_text("utf-8"))
UNIT = "12990000EX00000106"
PATIENCE = timedelta(seconds=60)
LONG_AGO = date(2023, 7, 1)

Content = dict[str, Any] | str
"""A filled form, or a file list as CSV."""
Command = TypeVar("Command")
Answer = TypeVar("Answer")
Handle = WorkflowHandle[BackupCreation, Closed]


def file_list(rows: int = 1, *, in_transit: Iterable[str] = (), md5: bool = True) -> str:
    """A file list as CSV; deposits on their way are told for whole repositories, in rows of their own."""
    lines = ["file_name,repository,accession,run,category,data_type,file_format,md5,deposit"]
    for n in range(1, rows + 1):
        checksum = f"{n:032x}" if md5 else ""
        lines.append(f"s{n}.fastq.gz,gsa-human,HRA000001,HRR{n:06},wgs,raw,fastq,{checksum},deposited")
    for n, repository in enumerate(in_transit, rows + 1):
        accession, data_type, format_ = ON_THEIR_WAY[repository]
        lines.append(
            f"t{n}.{format_}.gz,{repository},{accession},,wgs,{data_type},{format_},{n:032x},in_transit"
        )
    return "\n".join(lines) + "\n"


ON_THEIR_WAY = {"gsa-human": ("HRA000002", "raw", "fastq"), "gvm": ("GVM000002", "variants", "vcf")}
GOOD: dict[str, Content] = {"project": PROJECT, "backup-information": INFORMATION, "data-files": file_list()}
"""Contents that are accepted, by step, in the order of the procedure."""


def changed_release(release: Release, version: str, effective_from: date, **documents: Any) -> Release:
    """Another release, with some of its documents replaced."""
    content = json.loads(release.canonical())
    content["rulebook"] |= {"version": version, "effective_from": effective_from.isoformat()}
    return Release(content | documents)


def with_fourth_step(release: Release, version: str, effective_from: date) -> Release:
    """A release that asks for one more form."""
    documents = json.loads(release.canonical())
    procedure, form = documents["procedures/backup-creation"], documents["forms/project"]
    title = {"zh": "安全审查", "en": "security review"}
    procedure["steps"].append(
        {
            "id": "security-review",
            "title": title,
            "kind": "form",
            "form": "security-review",
            "required": True,
            "judged_by": ["security-review"],
        }
    )
    properties = {"title": form["properties"]["title"]}
    review = form | {"x-title": title, "properties": properties, "required": ["title"], "x-order": ["title"]}
    more = {"procedures/backup-creation": procedure, "forms/security-review": review}
    return changed_release(release, version, effective_from, **more)


class Repositories:
    """Stands in for the data resource repositories; a test says what they answer, and when."""

    def __init__(self) -> None:
        self.results: dict[str, Result] = {}
        self.asked: list[str] = []
        self.open = Event()
        self._met = Event()
        self.forget()

    def forget(self) -> None:
        """Begin anew: every deposit is still out of sight."""
        self.results.clear()
        self.asked.clear()
        self._met.clear()
        self.open.set()

    async def are_asked(self) -> None:
        """Wait until the first question has come."""
        assert await asyncio.to_thread(self._met.wait, PATIENCE.total_seconds())

    def look_up(self, repository: str, accession: str) -> LookUp:
        self.asked.append(repository)
        self._met.set()
        self.open.wait(PATIENCE.total_seconds())
        return LookUp(self.results.get(repository, "not_public"), "stand-in")


@dataclass
class Desk:
    """One account at one database."""

    platform: Platform
    account: UUID
    signers: DevelopmentSigners

    @classmethod
    def furnished(cls, client: Client, settings: Settings, *published: Release) -> "Desk":
        """Connect to a database, sign in, publish releases."""
        engine = connect(settings.database_url.get_secret_value(), pool_size=20)
        cipher = ColumnCipher(KeyRing.load(settings.keys_file))
        rulebooks = Rulebooks(settings.rule_signers)
        platform = Platform(
            engine,
            cipher,
            FormStore(cipher),
            rulebooks,
            client,
            settings.task_queue,
            AnswerKeys([]),
            Eligibility(rulebooks),
            Quotas(engine),
        )
        desk = cls(platform, uuid4(), DevelopmentSigners(settings.rule_signers))
        with writing(engine) as writer:
            profile = Profile(
                account_id=desk.account,
                name="测试人",
                phone="15400000000",
                unit_code=UNIT,
                unit_name="示例大学附属医院",
                real_name_verified=True,
                unit_authorised=True,
                unit_administrator=False,
            )
            sign_in(writer, cipher, profile, datetime.now(UTC))
        desk.publish(*published)
        return desk

    def publish(self, *published: Release) -> None:
        """Publish releases."""
        for release in published:
            with writing(self.platform.engine) as writer:
                self.signers.publish(writer, release)

    def store(self, step: str, content: Content) -> tuple[UUID, str]:
        """Store content as the API does before it asks the workflow."""
        content_id = uuid4()
        with writing(self.platform.engine) as writer:
            rulebook = self.platform.rulebooks.in_force(writer, datetime.now(UTC))
            form = rulebook.release.procedure("backup-creation").step(step).form
            if isinstance(content, dict):
                return content_id, self.platform.forms.add(
                    writer, content_id, self.account, rulebook.release, form, content
                )
            with TemporaryDirectory() as folder:
                upload = Path(folder) / "list.csv"
                upload.write_text(content, "utf-8")
                manifest = open_manifest(upload, "text/csv")
                add_manifest(writer, manifest, content_id, self.account, "0" * 64, rulebook, form)
        return content_id, "0" * 64

    def outcome(self, operation_id: UUID) -> dict[str, Any] | None:
        """What the ledger holds of an operation."""
        with reading(self.platform.engine) as reader:
            return reader.get_one(Operation, operation_id).outcome

    def draft(self, **opening: Any) -> "Draft":
        """A draft that its first save will open."""
        now = datetime.now(UTC)
        with reading(self.platform.engine) as reader:
            release = self.platform.rulebooks.in_force(reader, now).release
        due_at = release.procedure("backup-creation").first_due(now)
        said = {"unit_code": UNIT, "release": release.version, "due_at": due_at, **opening}
        return Draft(self, OpenBackup(backup_id=uuid4(), creator_id=self.account, **said))

    async def filled(self, **opening: Any) -> "Draft":
        """A draft with every step filled in well, ready to be submitted."""
        draft = self.draft(**opening)
        for step, content in GOOD.items():
            await draft.save(step, content)
        return draft


@dataclass
class Draft:
    """One draft, and the updates a person asks of it. Each takes an update id to repeat itself by."""

    desk: Desk
    opening: OpenBackup
    revisions: dict[str, int] = field(default_factory=dict)

    @property
    def id(self) -> UUID:
        return self.opening.backup_id

    @property
    def handle(self) -> Handle:
        return self.desk.platform.temporal.get_workflow_handle_for(
            BackupCreation.run, commands.workflow_id(self.id)
        )

    def command(self, step: str, content: Content, revision: int | None = None) -> SaveStep:
        """Store content, and the message that lets a step refer to it."""
        content_id, sha256 = self.desk.store(step, content)
        return SaveStep(
            step=step,
            revision=self.revisions.get(step, 0) if revision is None else revision,
            content_id=content_id,
            sha256=sha256,
            account_id=self.desk.account,
        )

    async def save(self, step: str, content: Content, revision: int | None = None) -> StepSaved:
        """Save one step; the first save opens the draft."""
        return await self.send_save(self.command(step, content, revision))

    async def send_save(self, command: SaveStep, update_id: str | None = None) -> StepSaved:
        update_id = update_id or str(uuid4())
        if not self.revisions:
            queue = self.desk.platform.task_queue
            client, change = self.desk.platform.temporal, BackupCreation.save_step
            await commands.open_backup(client, queue, self.opening, change, command, update_id)
        saved = await self._ask(BackupCreation.save_step, command, update_id)
        self.revisions[saved.step] = saved.revision
        return saved

    async def submit(self, update_id: str | None = None) -> Verdict:
        return await self._ask(BackupCreation.submit, Submit(account_id=self.desk.account), update_id)

    async def withdraw(self, update_id: str | None = None) -> Closed:
        return await self._ask(BackupCreation.withdraw, Withdraw(account_id=self.desk.account), update_id)

    async def check_deposits(
        self, attested: str | None = None, update_id: str | None = None
    ) -> DepositsChecked:
        command = CheckDeposits(account_id=self.desk.account, attested=attested)
        return await self._ask(BackupCreation.check_deposits, command, update_id)

    async def progress(self) -> Progress:
        return await self.handle.query(BackupCreation.progress, rpc_timeout=PATIENCE)

    async def history(self, run_id: str | None = None) -> WorkflowHistory:
        handle = self.desk.platform.temporal.get_workflow_handle(commands.workflow_id(self.id), run_id=run_id)
        return await handle.fetch_history()

    def row(self) -> Backup:
        with reading(self.desk.platform.engine) as reader:
            return reader.get_one(Backup, self.id)

    def notices(self) -> list[Notice]:
        with reading(self.desk.platform.engine) as reader:
            mine = select(Notice).where(Notice.backup_id == self.id).order_by(col(Notice.created_at))
            return list(reader.exec(mine))

    async def _ask(
        self,
        update: UpdateMethodMultiParam[[BackupCreation, Command], Answer],
        command: Command,
        update_id: str | None,
    ) -> Answer:
        return await self.handle.execute_update(
            update, command, id=update_id or str(uuid4()), rpc_timeout=PATIENCE
        )


async def refused(asking: Awaitable[object]) -> str:
    """The code of the refusal that something meets."""
    with pytest.raises(WorkflowUpdateFailedError) as raised:
        await asking
    refusal = refusal_in(raised.value)
    assert refusal is not None, raised.value.cause
    return refusal.error.code


@asynccontextmanager
async def working(client: Client, settings: Settings) -> AsyncIterator[None]:
    """A worker in this process, as `worker.py` builds it."""
    with ThreadPoolExecutor(worker.THREADS) as threads:
        async with worker.build(settings, client, threads):
            yield
