"""Accounts and legacy registrants for attributions on the real servers."""

import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from sqlalchemy import Engine, text
from temporalio.api.activity.v1 import ActivityOptions
from temporalio.api.workflowservice.v1 import ResetStickyTaskQueueRequest, UpdateActivityOptionsRequest
from temporalio.client import Client, WorkflowHandle

import worker
from api.attribution import begin
from embedded.platform import REPOSITORY
from embedded.process import Child
from rules.engine.load import load_rulebook
from schemas.contracts.attribution import Attributed
from settings import Settings
from store.accounts import Profile, sign_in
from store.database import connect, writing
from store.encryption import ColumnCipher
from store.legacy_import import import_file
from store.signers import DevelopmentSigners
from wire.keys import KeyRing
from workflows.attribution import Attribution

UNIT, OTHER_UNIT = "12990000EX00000106", "12990000EX00000202"
UNIT_NAME = "示例大学附属医院"
NAME, PHONE = "张示例", "13800138000"
HEADER = "姓名,手机号,单位,备份编号,日期,项目名称,状态\n"


@dataclass
class Desk:
    """A database with a release in force, into which people sign in and files are imported."""

    settings: Settings
    client: Client
    folder: Path
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = connect(self.settings.database_url.get_secret_value())
        self.cipher = ColumnCipher(KeyRing.load(self.settings.keys_file))
        release = load_rulebook(REPOSITORY / "rules")
        self.rules = release.procedure("claiming").matching
        with writing(self.engine) as writer:
            DevelopmentSigners(self.settings.rule_signers).publish(writer, release)

    def imports(self, *rows: Sequence[str]) -> None:
        """Import rows of name, phone, unit, number; without number a draft."""
        path = self.folder / f"{uuid4()}.csv"
        lines = [",".join([*row, "2019-05-28", "队列研究", ""]) for row in rows]
        path.write_text(HEADER + "\n".join(lines) + "\n", "utf-8")
        assert import_file(self.engine, self.cipher, self.rules, path).tally.faulty == 0

    def signs_in(
        self, name: str = NAME, phone: str = f"+86{PHONE}", unit: str = UNIT, unit_name: str = UNIT_NAME
    ) -> UUID:
        """Mirror an account of a person."""
        account = uuid4()
        profile = Profile(account, name, phone, unit, unit_name, True, True, False)
        with writing(self.engine) as writer:
            sign_in(writer, self.cipher, profile, datetime.now(UTC), self.rules)
        return account

    def handle(self, account: UUID) -> WorkflowHandle[Attribution, Attributed]:
        return self.client.get_workflow_handle_for(Attribution.run, f"attribution-{account}")

    async def begins(self, account: UUID) -> None:
        """What a sign-in asks for."""
        await begin(self.client, self.settings.task_queue, account)

    async def attributes(self, account: UUID) -> Attributed:
        """Begin, and wait for the end."""
        await self.begins(account)
        return await self.handle(account).result()

    def value(self, query: str, **parameters: Any) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(text(query), parameters).scalar()

    def numbers(self, account: UUID | None) -> list[str]:
        """Numbers of the backups an account holds; None: nobody."""
        with self.engine.connect() as connection:
            query = text(
                "SELECT number FROM backup WHERE delegate_id IS NOT DISTINCT FROM :account ORDER BY number"
            )
            return list(connection.execute(query, {"account": account}).scalars())

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        with ThreadPoolExecutor(worker.THREADS) as threads:
            async with worker.build(self.settings, self.client, threads):
                yield

    @contextmanager
    def mortal_worker(self, moment: str) -> Iterator[Child]:
        """A worker that dies at a moment of the move."""
        child = Child(
            "mortal worker",
            [sys.executable, REPOSITORY / "tests/chaos/mortal_worker.py", "attribute", moment],
            self.folder / "mortal.log",
            environment={**self.settings.environment(), "PYTHONPATH": str(REPOSITORY)},
        )
        try:
            yield child
        finally:
            child.kill()

    async def miss_the_dead_worker(self, account: UUID) -> None:
        """Spare the test the minutes after which the server gives the activity's worker up by itself."""
        description = (await self.handle(account).describe()).raw_description
        execution = description.workflow_execution_info.execution
        service, namespace = self.client.workflow_service, self.client.namespace
        await service.update_activity_options(
            UpdateActivityOptionsRequest(
                namespace=namespace,
                execution=execution,
                type="attribute",
                activity_options=ActivityOptions(start_to_close_timeout=Duration(seconds=1)),
                update_mask=FieldMask(paths=["start_to_close_timeout"]),
            )
        )
        await service.reset_sticky_task_queue(
            ResetStickyTaskQueueRequest(namespace=namespace, execution=execution)
        )
