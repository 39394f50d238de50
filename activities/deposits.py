"""Asking the data resource repositories (数据资源库) whether a deposit has arrived."""

from typing import Literal, NamedTuple, Protocol

from sqlalchemy import Engine, text
from temporalio import activity

from schemas.contracts.backups import DepositAnswer, DepositAnswers, LookUpDeposits
from store.database import reading

Result = Literal["verified_public", "not_public", "mismatch", "unavailable"]

ASKED_AT_MOST = 50
"""Accessions asked for in one look-up of one repository: a courtesy to it."""


class LookUp(NamedTuple):
    """What a repository says of one accession.

    Public look-ups show released deposits only, so ``not_public`` says nothing against a deposit.
    """

    result: Result
    source: str


class RepositoryLookUp(Protocol):
    """A way to ask repositories. An adapter never raises: a failure is ``unavailable``."""

    def look_up(self, repository: str, accession: str) -> LookUp:
        """Ask one repository for one accession."""


class Offline:
    """Asks nobody; deposits then end their wait by a person's word (``attested``)."""

    def look_up(self, repository: str, accession: str) -> LookUp:
        """Say that nobody was asked."""
        return LookUp("unavailable", "offline")


class DepositActivities:
    """Looks deposits up."""

    def __init__(self, engine: Engine, repositories: RepositoryLookUp) -> None:
        self._engine = engine
        self._repositories = repositories

    @activity.defn
    def look_up(self, order: LookUpDeposits) -> DepositAnswers:
        """Ask for every accession whose deposit a draft says is on its way.

        A repository's answer is the worst of its accessions: one that is not there keeps the draft waiting.
        """
        accessions = self._in_transit(order)
        answers = []
        for repository, of_repository in sorted(accessions.items()):
            found = [self._repositories.look_up(repository, accession) for accession in of_repository]
            worst = max(found, key=lambda answer: _WORSE.index(answer.result))
            answers.append(DepositAnswer(repository=repository, result=worst.result, source=worst.source))
        return DepositAnswers(answers=answers)

    def _in_transit(self, order: LookUpDeposits) -> dict[str, list[str]]:
        query = text(
            """
            SELECT DISTINCT record ->> 'repository' AS repository, record ->> 'accession' AS accession
            FROM backup_step JOIN manifest_row ON manifest_id = content_id
            WHERE backup_id = :backup_id AND record ->> 'deposit' = 'in_transit'
            AND record ->> 'repository' IS NOT NULL AND record ->> 'accession' IS NOT NULL
            ORDER BY repository, accession
            """
        )
        accessions: dict[str, list[str]] = {}
        with reading(self._engine) as reader:
            for repository, accession in reader.execute(query, {"backup_id": order.backup_id}):
                accessions.setdefault(repository, []).append(accession)
        return {repository: found[:ASKED_AT_MOST] for repository, found in accessions.items()}


_WORSE: tuple[Result, ...] = ("verified_public", "unavailable", "not_public", "mismatch")
