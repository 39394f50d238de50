from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rules.engine.load import load_rulebook
from rules.engine.procedures import BackupCreationProcedure

SAVED = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture(scope="module")
def procedure() -> BackupCreationProcedure:
    return load_rulebook(Path("rules")).procedure("backup-creation")


def test_reminders_come_30_and_7_days_before_a_draft_expires(procedure: BackupCreationProcedure) -> None:
    expires = SAVED + timedelta(days=180)
    assert procedure.remind_at(SAVED) == [expires - timedelta(days=30), expires - timedelta(days=7)]


def test_a_draft_that_lives_shorter_than_a_reminder_s_notice_is_not_reminded_at_once(
    procedure: BackupCreationProcedure,
) -> None:
    short = procedure.model_copy(update={"expires_after": timedelta(days=10)})
    assert short.remind_at(SAVED) == [SAVED + timedelta(days=3)]
