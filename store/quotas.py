"""How much a system may ask in a period (配额), whatever number of API processes it asks.

A process takes from the database some questions in advance and then answers without asking it, so that a
question costs no transaction of its own. What it has not used when the period ends is lost.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Engine, text

from rules.engine.eligibility import Quota
from schemas.contracts.claims import seconds_until
from schemas.errors import Refusal
from store.database import writing

LEASE = 100
"""Questions taken at once."""
SHARE = 20
"""But no more than this part of a quota, so that little is lost."""


class _Lease(NamedTuple):
    ends_at: datetime
    left: int


class Quotas:
    """What this process has taken of each system's quota and not used yet."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._leases: dict[UUID, _Lease] = {}
        self._turn = threading.Lock()

    def take(self, client_id: UUID, count: int, quota: Callable[[], Quota], at: datetime) -> None:
        """Count some questions.

        Args:
            client_id: Who asks.
            count: How many questions.
            quota: Tells how many it may ask; called only when the database is asked.
            at: Now.

        Raises:
            Refusal: ``too_many_questions``, with the seconds until the period ends.
        """
        with self._turn:
            lease = self._leases.get(client_id, _Lease(at, 0))
            if at >= lease.ends_at or lease.left < count:
                lease = self._more(client_id, lease, count, quota(), at)
            self._leases[client_id] = lease._replace(left=lease.left - count)

    def _more(self, client_id: UUID, lease: _Lease, count: int, quota: Quota, at: datetime) -> _Lease:
        """Take at least what is needed, rather some in advance."""
        began = at - (at - _EPOCH) % quota.within
        ends_at = began + quota.within
        left = lease.left if lease.ends_at == ends_at else 0
        needed = count - left
        asked = {"client_id": client_id, "window": began, "most": quota.most}
        with writing(self._engine) as writer:
            for amount in (max(needed, min(LEASE, quota.most // SHARE)), needed):
                taken = writer.connection().execute(_TAKE, {**asked, "amount": amount}).rowcount
                if taken:
                    return _Lease(ends_at, left + amount)
        raise Refusal("too_many_questions", retry_after=seconds_until(ends_at, at))


_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""Periods are counted from here, the same in every process."""
_TAKE = text("""
    INSERT INTO service_quota AS quota (client_id, window_from, spent)
    SELECT :client_id, :window, :amount WHERE :amount <= :most
    ON CONFLICT (client_id) DO UPDATE
    SET window_from = excluded.window_from,
        spent = excluded.spent
              + CASE WHEN quota.window_from = excluded.window_from THEN quota.spent ELSE 0 END
    WHERE quota.window_from < excluded.window_from
       OR quota.window_from = excluded.window_from AND quota.spent + excluded.spent <= :most
""")
