"""Anything in any order, with workers killed meanwhile: the platform does what a small model in memory does.

After every step each backup is held and stands as the model says. In the end every number is asked about for
everybody and every past instant. ``HGRIP_TEST_STEPS=960 pytest tests/platform`` goes on for longer.
"""

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial, partialmethod
from pathlib import Path

import pytest
from handover_ward import BROKEN
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import invariant, run_state_machine_as_test
from platform_moves import Moves
from temporalio.client import Client, WithStartWorkflowOperation
from village import Village

from settings import Settings
from store.answer_keys import rotate

STEPS = int(os.environ.get("HGRIP_TEST_STEPS", "96"))
STEPS_EACH = 12
NOW = "SELECT id, delegate_id, state, number, version, title FROM backup WHERE id = ANY(:ids)"
THEN = (
    "SELECT backup_id, delegate_id FROM delegation"
    " WHERE backup_id = ANY(:ids) AND since <= :at AND (until IS NULL OR :at < until)"
)
UNSUMMED = """
    SELECT count(*) FROM backup
    LEFT JOIN LATERAL (
        SELECT sum(rows) AS rows FROM backup_step AS step JOIN manifest ON manifest.id = step.content_id
        WHERE step.backup_id = backup.id
    ) AS lists ON TRUE
    WHERE data_files <> COALESCE(lists.rows, 0)
       OR categories <> ARRAY(
           SELECT DISTINCT category FROM backup_step AS step JOIN manifest ON manifest.id = step.content_id,
               unnest(manifest.categories) AS category
           WHERE step.backup_id = backup.id ORDER BY 1
       )
"""
"""Backups that say something else of their lists than the lists do."""
BATCH = 500
SOON = timedelta(seconds=1)
"""After so long the server misses a dead worker."""


class Platform(Moves):
    """Everything, and what has to be so at any time."""

    @invariant()
    def everything_is_as_the_model_says(self) -> None:
        if not hasattr(self, "here"):
            return
        self.country.instants.append(datetime.now(UTC))
        town, backups = self.village.town, self.country.backups
        rows = town.rows(NOW, ids=[each.id for each in backups])
        for backup in backups:
            [(_, *now)] = [row for row in rows if row[0] == backup.id]
            model = [backup.holder(), backup.state, backup.number, backup.version, backup.title]
            assert now == model, f"after {len(self.country.instants)} steps"
        assert town.value(BROKEN) == 0
        assert town.value(UNSUMMED) == 0

    def teardown(self) -> None:
        """Every past instant is as it was."""
        if not hasattr(self, "here"):
            return
        for at, instant in enumerate(self.country.instants):
            self.one_delegate_at(at, instant)
        self.every_number_answers()
        self.village.do(self.system.aclose())

    def one_delegate_at(self, at: int, instant: datetime) -> None:
        ids = [each.id for each in self.country.backups]
        rows = self.village.town.rows(THEN, ids=ids, at=instant)
        assert len({backup for backup, _ in rows}) == len(rows), "one delegate at any instant"
        held = {each.id: each.holder(at) for each in self.country.backups}
        assert dict(rows) == {id_: who for id_, who in held.items() if who is not None}

    def every_number_answers(self) -> None:
        cases = [
            (backup, person, at)
            for backup in self.country.numbers
            for person in self.country.people
            for at in range(len(self.country.instants))
        ]
        questions = [
            {
                "account": str(person.account),
                "backup_number": backup.number,
                "as_of": self.country.instants[at].isoformat(),
            }
            for backup, person, at in cases
        ]
        answers = []
        for first in range(0, len(questions), BATCH):
            asked = {"checks": questions[first : first + BATCH]}
            answer = self.village.tells(self.system, "/v1/eligibility-checks/batches", None, asked)
            answers += answer.json()["answers"]
        for (backup, person, at), item in zip(cases, answers, strict=True):
            assert item["problem"] is None, item
            expected = self.country.eligible(backup, person, at)
            assert item["answer"]["eligible"] == expected, (item, at, len(self.country.instants))


@pytest.fixture
def village(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Village]:
    first = partial(WithStartWorkflowOperation, task_timeout=SOON)
    for module in ("commands", "claim_requests", "handover_requests"):
        monkeypatch.setattr(f"api.{module}.WithStartWorkflowOperation", first)
    monkeypatch.setattr(Client, "start_workflow", partialmethod(Client.start_workflow, task_timeout=SOON))
    rotate(tmp_path / "answer-keys.json")
    changes = {"answer_keys": tmp_path / "answer-keys.json"}
    with asyncio.Runner() as runner:
        village = Village(runner, settings.model_copy(update=changes), tmp_path)
        yield village
        village.close()


@pytest.mark.timeout(60 * STEPS)
def test_whatever_happens_the_platform_does_as_the_model(village: Village) -> None:
    Platform.village = village
    run_state_machine_as_test(
        Platform,
        settings=hypothesis_settings(
            max_examples=max(1, STEPS // STEPS_EACH),
            stateful_step_count=STEPS_EACH,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],  # to shrink takes too long on real servers
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )
    assert village.crew.killed > 0
