"""What a draft hears of deposits on their way: from the real database, and once through the whole worker."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from cncb_server import running
from pydantic import HttpUrl
from sqlalchemy import Engine
from temporalio.client import Client

import worker
from activities import deposits
from activities.backups import BackupActivities
from activities.deposits import DepositActivities
from activities.repositories import LookUp, Result
from api import commands
from manifests.reader import open_manifest
from rules.engine.load import load_rulebook
from schemas.contracts.backups import (
    CheckDeposits,
    DepositAnswer,
    LookUpDeposits,
    OpenBackup,
    RecordDeposits,
    RecordStep,
    SaveStep,
)
from settings import Settings
from store.accounts import Profile, sign_in
from store.database import connect, reading, writing
from store.encryption import ColumnCipher
from store.forms import FormStore
from store.manifests import add_manifest
from store.releases import Rulebooks
from store.signers import DevelopmentSigners
from store.submissions import awaiting
from wire.keys import KeyRing
from workflows.backup_creation import BackupCreation

UNIT = "12990000EX00000106"
HEADER = "file_name,repository,accession,category,data_type,md5,deposit"


class Repositories:
    """Answers as told, and remembers the questions."""

    def __init__(self, results: dict[str, Result]) -> None:
        self.results = results
        self.asked: list[str] = []

    def look_up(self, repository: str, accession: str) -> LookUp:
        self.asked.append(accession)
        return LookUp(self.results.get(accession, "verified_public"), f"stand-in for {repository}")


class Desk:
    """One account, one list of files, one draft that refers to it."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        cipher = ColumnCipher(KeyRing.load(settings.keys_file))
        self.engine: Engine = connect(settings.database_url.get_secret_value())
        self.account, self.backup_id = uuid4(), uuid4()
        self.rulebooks = Rulebooks(settings.rule_signers)
        self.backups = BackupActivities(self.engine, self.rulebooks, FormStore(cipher))
        self._list = folder / "list.csv"
        profile = Profile(self.account, "测试人", "15400000000", UNIT, "示例医院", True, True, False)
        with writing(self.engine) as writer:
            sign_in(writer, cipher, profile, datetime.now(UTC))
            DevelopmentSigners(settings.rule_signers).publish(writer, load_rulebook(Path("rules")))

    def stored(self, *rows: tuple[str, str]) -> SaveStep:
        """Store a list of files on their way, as (repository, accession); the message that saves it."""
        lines = [
            f"s{n}.fastq.gz,{repository},{accession},wgs,raw,{n:032x},in_transit"
            for n, (repository, accession) in enumerate(rows)
        ]
        self._list.write_text("\n".join([HEADER, *lines]))
        content_id = uuid4()
        with writing(self.engine) as writer:
            rulebook = self.rulebooks.in_force(writer, datetime.now(UTC))
            manifest = open_manifest(self._list, "text/csv")
            add_manifest(writer, manifest, content_id, self.account, "0" * 64, rulebook, "data-file")
        return SaveStep(
            step="data-files", revision=0, content_id=content_id, sha256="0" * 64, account_id=self.account
        )

    def save(self, *rows: tuple[str, str]) -> None:
        """Let the draft refer to such a list."""
        order = RecordStep(
            operation_id=uuid4(),
            backup_id=self.backup_id,
            creator_id=self.account,
            unit_code=UNIT,
            command=self.stored(*rows),
            at=datetime.now(UTC),
        )
        self.backups.record_step(order)

    def look_up(self, repositories: Repositories) -> dict[str, str]:
        """Ask; answers by repository."""
        found = DepositActivities(self.engine, repositories).look_up(LookUpDeposits(backup_id=self.backup_id))
        return {answer.repository: answer.result for answer in found.answers}

    def hear(self, repository: str, result: str) -> list[str]:
        """Record an answer; what is still awaited."""
        answer = DepositAnswer.model_validate({"repository": repository, "result": result, "source": "test"})
        order = RecordDeposits(
            operation_id=uuid4(), backup_id=self.backup_id, answers=[answer], at=datetime.now(UTC)
        )
        return self.backups.record_deposits(order).awaiting


@pytest.fixture
def desk(settings: Settings, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(settings, tmp_path)
    yield desk
    desk.engine.dispose()


@pytest.mark.parametrize(
    ("results", "answer"),
    [
        (["verified_public", "verified_public"], "verified_public"),
        (["verified_public", "unavailable"], "unavailable"),
        (["not_public", "unavailable"], "not_public"),
        (["mismatch", "not_public"], "mismatch"),
    ],
)
def test_a_repository_answers_with_the_worst_of_its_accessions(
    desk: Desk, results: list[Result], answer: str
) -> None:
    accessions = ["HRA000001", "HRA000002"]
    desk.save(*(("gsa-human", accession) for accession in accessions), ("omix", "OMIX000001"))
    repositories = Repositories(dict(zip(accessions, results, strict=True)))
    assert desk.look_up(repositories) == {"gsa-human": answer, "omix": "verified_public"}


def test_each_accession_is_asked_for_once(desk: Desk) -> None:
    repositories = Repositories({})
    desk.save(*[("gsa-human", "HRA000001")] * 5)
    desk.look_up(repositories)
    assert repositories.asked == ["HRA000001"]


def test_a_row_without_an_accession_keeps_its_repository_awaited(desk: Desk) -> None:
    desk.save(("gsa-human", "HRA000001"), ("gsa-human", ""), ("gvm", ""))
    assert desk.look_up(Repositories({})) == {"gsa-human": "unavailable", "gvm": "unavailable"}


def test_accessions_that_were_not_asked_for_keep_their_repository_awaited(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deposits, "ASKED_AT_MOST", 2)
    repositories = Repositories({})
    desk.save(*(("gsa-human", f"HRA{n:06}") for n in range(3)), *(("omix", f"OMIX{n:06}") for n in range(2)))
    assert desk.look_up(repositories) == {"gsa-human": "unavailable", "omix": "verified_public"}
    assert len(repositories.asked) == 4


def test_a_look_up_out_of_time_asks_no_further(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deposits, "PATIENCE", -1)
    repositories = Repositories({})
    desk.save(("gsa-human", "HRA000001"))
    assert desk.look_up(repositories) == {"gsa-human": "unavailable"}
    assert repositories.asked == []


def test_only_what_is_still_awaited_is_asked_for(desk: Desk) -> None:
    desk.save(("gsa-human", "HRA000001"), ("omix", "OMIX000001"))
    desk.hear("gsa-human", "attested")
    assert desk.look_up(Repositories({})) == {"omix": "verified_public"}


@pytest.mark.parametrize("arrived", ["attested", "verified_public"])
def test_a_look_up_that_was_under_way_does_not_undo_an_arrival(desk: Desk, arrived: str) -> None:
    desk.save(("gsa-human", "HRA000001"))
    assert desk.hear("gsa-human", arrived) == []
    assert desk.hear("gsa-human", "unavailable") == []


async def test_a_deposit_that_became_public_ends_the_wait_when_look_ups_are_opted_in(
    client: Client, settings: Settings, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with running() as server, ThreadPoolExecutor(worker.THREADS) as threads:
        cncb = {"repository_lookup": "cncb", "repository_url": HttpUrl(server.url)}
        queue = settings.task_queue
        async with worker.build(settings.model_copy(update=cncb), client, threads):
            opening = OpenBackup(backup_id=desk.backup_id, creator_id=desk.account, unit_code=UNIT)
            save = desk.stored(("gsa-human", "HRA000001"), ("gwh", "GWHZZZZ00000000"))
            await commands.open_backup(client, queue, opening, BackupCreation.save_step, save, str(uuid4()))
            assert _awaited(desk.engine, desk.backup_id) == ["gsa-human", "gwh"]
            ask = CheckDeposits(account_id=desk.account)
            await commands.update(client, desk.backup_id, BackupCreation.check_deposits, ask, str(uuid4()))
        assert _awaited(desk.engine, desk.backup_id) == ["gwh"]
        assert len(server.asked) == 2


def _awaited(engine: Engine, backup_id: UUID) -> list[str]:
    with reading(engine) as reader:
        return awaiting(reader, backup_id)
