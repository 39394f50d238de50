from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from workbench_stage import PERSON, STRICTER, WorkbenchStage

from rules.engine.judge import Judge
from rules.engine.load import load_rulebook
from rules.engine.release import Release
from settings import Settings
from store import impact as replay
from store.impact import Impact, impact
from store.releases import Rulebook

Edited = Callable[..., Path]


@pytest.fixture
def stage(settings: Settings, release: Release, tmp_path: Path) -> Iterator[WorkbenchStage]:
    stage = WorkbenchStage(settings, tmp_path)
    stage.publish(release)
    yield stage
    stage.close()


def _impact(stage: WorkbenchStage, folder: Path, state: Path | None = None) -> Impact:
    release = load_rulebook(folder)
    candidate = Rulebook(release, Judge(release))
    return impact(stage.engine, stage.rulebooks, stage.forms, candidate, datetime.now(UTC), state)


def test_stored_backups_are_judged_again_and_those_that_change_are_listed_by_id(
    stage: WorkbenchStage, edited: Edited
) -> None:
    small, large, long_number = (
        stage.draft(individual_count=300, sample_count=300),
        stage.draft(individual_count=301, sample_count=301),
        stage.draft(individual_count=300, sample_count=300, accession="HRA1000000"),
    )
    assert [stage.submit(id_).accepted for id_ in (small, large, long_number)] == [True] * 3
    short_purpose = stage.draft(individual_count=10, sample_count=10, purpose="五个字的话")
    found = _impact(stage, edited(*STRICTER))
    changed = {
        change.id: (change.group, change.before, change.after, change.rules) for change in found.changed
    }
    assert changed == {
        large: ("numbered", "accepted", "refused", ["security-review-500"]),
        long_number: ("numbered", "accepted", "refused", ["gsa-human.accession", "manifest-rows-accepted"]),
        short_purpose: ("open", "refused", "accepted", ["backup-information.purpose.minLength"]),
    }
    assert found.sums("numbered").sentence.en == (
        "2 of 3 numbered backups would change: 2 accepted → refused, 0 refused → accepted, "
        "0 with other remarks only"
    )
    assert found.sums("open").sentence.zh == (
        "草稿 1 份中有 1 份会改变：0 份接受 → 拒绝，1 份拒绝 → 接受，0 份只是提示不同"
    )
    assert PERSON not in found.model_dump_json()


def test_the_same_rules_change_nothing(stage: WorkbenchStage, folder: Path) -> None:
    assert stage.submit(stage.draft()).accepted
    stage.draft()
    found = _impact(stage, folder)
    assert found.changed == []
    assert found.seen == {"numbered": 1, "open": 1}


def test_a_replay_that_is_broken_off_goes_on_where_it_was_and_finds_the_same(
    stage: WorkbenchStage, edited: Edited, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        assert stage.submit(stage.draft(individual_count=301, sample_count=301)).accepted
    folder, state = edited(*STRICTER), tmp_path / "impact" / "state.json"
    monkeypatch.setattr(replay, "BATCH", 2)
    whole = _impact(stage, folder)
    compare = replay._compare
    judged: list[object] = []

    def interrupted(session, forms, backup_id, *rest):  # type: ignore[no-untyped-def]
        if len(judged) == 3:
            raise KeyboardInterrupt
        judged.append(backup_id)
        return compare(session, forms, backup_id, *rest)

    monkeypatch.setattr(replay, "_compare", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _impact(stage, folder, state)
    assert Impact.model_validate_json(state.read_bytes()).seen["numbered"] == 2
    again: list[object] = []

    def counted(session, forms, backup_id, *rest):  # type: ignore[no-untyped-def]
        again.append(backup_id)
        return compare(session, forms, backup_id, *rest)

    monkeypatch.setattr(replay, "_compare", counted)
    assert _impact(stage, folder, state).changed == whole.changed
    assert len(again) == 3
    assert not state.exists()


def test_another_working_copy_starts_from_the_beginning(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    Impact(candidate="a" * 64, seen={"numbered": 7, "open": 0}).note(state)
    assert Impact.resume(state, "a" * 64).seen["numbered"] == 7
    assert Impact.resume(state, "b" * 64).seen["numbered"] == 0
