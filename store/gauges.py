"""What monitoring watches of the platform as a whole: counts and ages, each by an index; no id, no person."""

from typing import NamedTuple

from sqlalchemy import text

from store.database import Reader


class Gauge(NamedTuple):
    """One figure.

    Attributes:
        name: As monitoring knows it, without ``hgrip_``.
        label: What `value_of` tells apart; empty where there is one figure only.
    """

    name: str
    what: str
    label: str = ""


GAUGES: dict[Gauge, str] = {
    Gauge("backups_open", "Drafts that are open", "state"): """
        SELECT state, count(*) FROM backup WHERE state IN ('draft', 'waiting_for_deposit') GROUP BY state
    """,
    Gauge("stuck", "Work that does not go on", "cause"): """
        SELECT cause, count(*) FROM stuck_work WHERE cleared_at IS NULL GROUP BY cause
    """,
    Gauge("stuck_oldest_seconds", "For how long the oldest of it has not"): """
        SELECT '', EXTRACT(EPOCH FROM now() - min(since)) FROM stuck_work WHERE cleared_at IS NULL
    """,
    Gauge("audit_unsealed", "Audit events that wait to be sealed"): """
        SELECT '', count(*) FROM audit_unsealed
    """,
    Gauge("audit_unsealed_oldest_seconds", "For how long the first of them has waited"): """
        SELECT '', EXTRACT(EPOCH FROM now() - at) FROM audit_event
        WHERE id = (SELECT min(event_id) FROM audit_unsealed)
    """,
    Gauge("audit_head_age_seconds", "Age of the newest signed tree head"): """
        SELECT '', EXTRACT(EPOCH FROM now() - max(signed_at)) FROM audit_tree_head
    """,
    Gauge("messages_today", "Text messages counted against the day's budget"): """
        SELECT '', COALESCE(sum(counted), 0) FROM message_day
        WHERE day = CAST(now() AT TIME ZONE 'Asia/Shanghai' AS date)
    """,
}
"""Each with the statement that tells it: label, figure."""


def read(reader: Reader) -> dict[Gauge, list[tuple[str, float]]]:
    """All figures of one moment."""
    connection = reader.connection()
    return {
        gauge: [(row[0], float(row[1])) for row in connection.execute(text(statement)) if row[1] is not None]
        for gauge, statement in GAUGES.items()
    }
