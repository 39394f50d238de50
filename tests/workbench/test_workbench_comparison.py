"""Comparisons as the worker carries them out: kept in the database, gone on with after a crash."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel import select
from temporalio.testing import ActivityEnvironment
from workbench_stage import PERSON, STRICTER, WorkbenchStage

from activities.rulebooks import RulebookActivities
from rules.engine.load import load_rulebook
from rules.engine.release import Release
from schemas.contracts.rulebooks import CompareRules
from schemas.errors import Refusal
from schemas.tables.backups import Operation
from schemas.tables.rulebook import RuleComparison, RuleImpactChange
from settings import Settings
from store import comparisons
from store import impact as replay
from store.database import reading, writing

Edited = Callable[..., Path]


@pytest.fixture
def stage(settings: Settings, release: Release, tmp_path: Path) -> Iterator[WorkbenchStage]:
    stage = WorkbenchStage(settings, tmp_path)
    stage.publish(release)
    yield stage
    stage.close()


@pytest.fixture
def candidate(stage: WorkbenchStage, edited: Edited) -> Release:
    """Stricter rules, proposed."""
    version = ("rulebook.yaml", "version: 2026.11.1", "version: 2026.11.2")
    release = load_rulebook(edited(version, *STRICTER))
    with writing(stage.engine) as writer:
        stage.signers.author.propose(writer, release)
    return release


def _asked(stage: WorkbenchStage, old: str | None, new: str) -> CompareRules:
    order = CompareRules(operation_id=uuid4(), comparison_id=uuid4())
    with writing(stage.engine) as writer:
        kind = "rule_diff" if old else "rule_impact"
        writer.add(
            Operation(
                id=order.operation_id, account_id=stage.account_id, case_id=order.comparison_id, kind=kind
            )
        )
        comparison = RuleComparison(id=order.comparison_id, old=old, new=new)
        comparisons.begin(writer, comparison, stage.account_id)
    return order


def _run(stage: WorkbenchStage, order: CompareRules) -> list[tuple[int, int]]:
    """One attempt; what its heartbeats told."""
    told: list[tuple[int, int]] = []
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *details: told.append((details[0], details[1]))
    activities = RulebookActivities(stage.engine, stage.rulebooks, stage.forms)
    environment.run(activities.compare_rules, order)
    return told


def _kept(
    stage: WorkbenchStage, order: CompareRules
) -> tuple[RuleComparison, dict[str, Any] | None, set[UUID]]:
    with reading(stage.engine) as reader:
        changed = select(RuleImpactChange.backup_id).where(
            RuleImpactChange.comparison_id == order.comparison_id
        )
        return (
            reader.get_one(RuleComparison, order.comparison_id),
            reader.get_one(Operation, order.operation_id).outcome,
            set(reader.exec(changed)),
        )


def test_a_replay_that_a_crash_broke_off_goes_on_after_the_last_batch(
    stage: WorkbenchStage, release: Release, candidate: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups = {stage.draft(individual_count=301, sample_count=301) for _ in range(5)}
    assert all(stage.submit(backup).accepted for backup in backups)
    monkeypatch.setattr(replay, "BATCH", 2)
    order = _asked(stage, None, candidate.digest)
    compare = replay._compare
    judged: list[UUID] = []

    def crashing(session, judging, backup_id, *rest):  # type: ignore[no-untyped-def]
        if len(judged) == 3:
            raise ConnectionError
        judged.append(backup_id)
        return compare(session, judging, backup_id, *rest)

    with monkeypatch.context() as crash:
        crash.setattr(replay, "_compare", crashing)
        with pytest.raises(ConnectionError):
            _run(stage, order)
    comparison, outcome, changed = _kept(stage, order)
    assert (comparison.done, comparison.total, outcome) == (2, 5, None)
    assert changed == set(judged[:2])
    assert [done for done, _ in _run(stage, order)][-1] == 5
    comparison, outcome, changed = _kept(stage, order)
    assert (comparison.done, comparison.total, outcome) == (5, 5, {})
    assert changed == backups
    with reading(stage.engine) as reader:
        numbered, drafts = comparisons.sums(reader, comparison)
        rows = reader.exec(select(RuleImpactChange)).all()
    assert (numbered.judged, numbered.worse, numbered.better, numbered.other) == (5, 5, 0, 0)
    assert (drafts.judged, drafts.worse) == (0, 0)
    assert PERSON not in str([row.model_dump() for row in rows])
    assert _run(stage, order) == []


def test_a_difference_is_kept_with_its_sentences_and_heartbeats_tell_the_progress(
    stage: WorkbenchStage, release: Release, candidate: Release
) -> None:
    order = _asked(stage, release.digest, candidate.digest)
    told = _run(stage, order)
    comparison, outcome, _ = _kept(stage, order)
    assert comparison.result is not None
    assert outcome == {}
    assert comparison.done == comparison.total == comparison.result["asked"]
    assert {total for _, total in told} == {comparison.total}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert any("人数 301–500" in change["sentence"]["zh"] for change in comparison.result["changes"])
    assert [pattern["place"] for pattern in comparison.result["patterns"]] == [
        "repositories/gsa-human: identifiers.accession"
    ]


def test_one_account_compares_one_thing_at_a_time(
    stage: WorkbenchStage, release: Release, candidate: Release
) -> None:
    order = _asked(stage, release.digest, candidate.digest)
    with pytest.raises(Refusal, match="rate_limited"):
        _asked(stage, candidate.digest, release.digest)
    _run(stage, order)
    _asked(stage, candidate.digest, release.digest)
