"""Asking the data resource repositories (数据资源库) whether a deposit has arrived."""

import time

from sqlalchemy import Engine, text
from temporalio import activity

from activities.repositories import NOT_ASKED, LookUp, RepositoryLookUp, Result
from schemas.contracts.backups import DepositAnswer, DepositAnswers, LookUpDeposits
from store.database import reading
from store.submissions import awaiting

ASKED_AT_MOST = 50
"""Accessions asked for in one look-up of one repository: a courtesy to it."""
PATIENCE = 60
"""Seconds after which one look-up asks no further; well below the workflow's time for it."""
_WORSE: tuple[Result, ...] = ("verified_public", "unavailable", "not_public", "mismatch")


class DepositActivities:
    """Looks deposits up."""

    def __init__(self, engine: Engine, repositories: RepositoryLookUp) -> None:
        self._engine = engine
        self._repositories = repositories

    @activity.defn
    def look_up(self, order: LookUpDeposits) -> DepositAnswers:
        """Ask for every accession whose deposit a draft still waits for.

        A repository's answer is the worst of its accessions: one that is not there keeps the draft waiting,
        and so does one that was not asked for (no accession yet, too many of them, out of time).
        """
        until = time.monotonic() + PATIENCE
        answers = []
        for repository, accessions in self._awaited(order):
            found = [self._ask(repository, accession, until) for accession in accessions[:ASKED_AT_MOST]]
            found += [NOT_ASKED] * (len(accessions) > ASKED_AT_MOST)
            worst = max(found, key=lambda answer: _WORSE.index(answer.result))
            answers.append(DepositAnswer(repository=repository, result=worst.result, source=worst.source))
        return DepositAnswers(answers=answers)

    def _ask(self, repository: str, accession: str | None, until: float) -> LookUp:
        if accession is None or time.monotonic() > until:
            return NOT_ASKED
        return self._repositories.look_up(repository, accession)

    def _awaited(self, order: LookUpDeposits) -> list[tuple[str, list[str | None]]]:
        """Accessions by repository, at most one more than are asked for; None stands for rows without one."""
        query = text(
            r"""
            SELECT record ->> 'repository' AS repository,
                (array_agg(DISTINCT record ->> 'accession'))[1 \: :most]
            FROM backup_step JOIN manifest_row ON manifest_id = content_id
            WHERE backup_id = :backup_id AND record ->> 'deposit' = 'in_transit'
            AND record ->> 'repository' = ANY(:awaited)
            GROUP BY repository ORDER BY repository
            """
        )
        with reading(self._engine) as reader:
            awaited = awaiting(reader, order.backup_id)
            facts = {"backup_id": order.backup_id, "awaited": awaited, "most": ASKED_AT_MOST + 1}
            rows = reader.execute(query, facts).all()
        return [(repository, accessions) for repository, accessions in rows]
