"""What open drafts should have done by now, as our own records tell."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from store.database import Reader

MOST = 1_000


class Unreminded(NamedTuple):
    """A draft whose delegate has not been reminded as often as is due."""

    backup_id: UUID
    saved_at: datetime
    expires_at: datetime


def unreminded(reader: Reader, latest_saved: Sequence[datetime]) -> list[Unreminded]:
    """Open drafts with fewer reminders than are due, those that expire first.

    Args:
        reader: The transaction.
        latest_saved: Of each reminder the latest moment a draft may have been saved to be due it now.
    """
    asked = {"latest_saved": list(latest_saved), "most": MOST}
    return [Unreminded(*row) for row in reader.connection().execute(_UNREMINDED, asked)]


def unlooked(reader: Reader, every: timedelta, before: datetime) -> list[UUID]:
    """Drafts that wait for deposits and should have looked them up before a moment."""
    asked = {"every": every, "before": before, "most": MOST}
    return list(reader.connection().execute(_UNLOOKED, asked).scalars())


_UNREMINDED = text("""
    SELECT id, saved_at, expires_at
    FROM backup, LATERAL (
        SELECT count(*) AS reminders FROM notice
        WHERE notice.account_id = backup.delegate_id AND notice.backup_id = backup.id
          AND notice.kind = 'draft_expires' AND notice.due_at = backup.expires_at
    ) AS told
    WHERE state IN ('draft', 'waiting_for_deposit')
      AND reminders < (SELECT count(*) FROM unnest(CAST(:latest_saved AS timestamptz[])) AS latest
                       WHERE latest >= saved_at)
    ORDER BY expires_at LIMIT :most
""")
_UNLOOKED = text("""
    SELECT id FROM backup
    WHERE state = 'waiting_for_deposit' AND :before > CAST(:every AS interval) + GREATEST(
        saved_at, (SELECT max(checked_at) FROM deposit_check WHERE backup_id = backup.id)
    )
    ORDER BY saved_at LIMIT :most
""")
