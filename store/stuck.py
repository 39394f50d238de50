"""Stuck work (滞留事项) in the database: what was seen, what is over, and the list of it."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import SQLModel

from schemas.stuck import CaseKind, Cause
from store.cases import Case, of_workflows
from store.database import Reader, Writer


class Sighting(NamedTuple):
    """One workflow seen not to go on.

    Attributes:
        activity: Type of the activity that fails, or the effect that is refused; else empty.
        since: When it began, as far as is known.
        failure: Type of the failure or a code of ours.
    """

    workflow_id: str
    cause: Cause
    since: datetime
    activity: str = ""
    local: bool = False
    attempt: int = 0
    failure: str | None = None


class Limits(NamedTuple):
    """From when on something is stuck.

    Attributes:
        grace: How long a deadline may have passed.
        unanswered: How long a request may take.
        asked_within: Requests older than this are nobody's any more.
        deposits_overdue: How long a deposit may be on its way.
        recheck_every: How often one is looked up.
    """

    grace: timedelta = timedelta(seconds=30)
    unanswered: timedelta = timedelta(seconds=20)
    asked_within: timedelta = timedelta(days=1)
    deposits_overdue: timedelta = timedelta(days=30)
    recheck_every: timedelta = timedelta(days=1)


class Filter(NamedTuple):
    """Which stuck work is asked for; None stands for all."""

    cause: Cause | None = None
    kind: CaseKind | None = None
    unit_code: str | None = None


class Entry(NamedTuple):
    """One row of the list.

    Attributes:
        score: Milliseconds it has been stuck × people that wait.
        revision: How often operators have acted on its case.
        support: Reference of support's own records, while it is with support.
    """

    id: int
    workflow_id: str
    case_id: UUID
    case_kind: CaseKind
    cause: Cause
    activity: str
    local: bool
    since: datetime
    seen_at: datetime
    attempt: int
    failure: str | None
    people: int
    unit_code: str | None
    score: int
    revision: int
    support: str | None


def note(writer: Writer, sightings: Sequence[Sighting], at: datetime) -> None:
    """Note what was seen; what is noted already keeps its beginning."""
    if not sightings:
        return
    cases = of_workflows(writer, {each.workflow_id for each in sightings})
    rows = {
        (each.workflow_id, each.cause, each.activity): _row(each, cases[each.workflow_id], at)
        for each in sightings
    }
    writer.connection().execute(_NOTE, list(rows.values()))


def _row(sighting: Sighting, case: Case, at: datetime) -> dict[str, Any]:
    of_case = {
        "case_id": case.case_id,
        "case_kind": case.kind,
        "people": case.people,
        "unit_code": case.unit_code,
    }
    return sighting._asdict() | of_case | {"seen_at": at, "cleared_at": None}


def note_from_records(writer: Writer, limits: Limits, at: datetime) -> int:
    """Note what our own records tell: deadlines that have passed, deposits overdue, messages not delivered.

    Each cause is one statement, however many cases there are.

    Returns:
        How many rows there are.
    """
    facts = limits._asdict() | {"at": at}
    return sum(writer.connection().execute(statement, facts).rowcount for statement in _FROM_RECORDS)


def unanswered(reader: Reader, limits: Limits, at: datetime, most: int) -> list[tuple[str, datetime]]:
    """Workflows that were asked something and have not answered: (workflow id, since), the oldest first."""
    rows = reader.execute(_UNANSWERED, limits._asdict() | {"at": at, "most": most})
    return [(row.workflow_id, row.since) for row in rows]


def noted(reader: Reader, causes: Sequence[Cause], most: int) -> list[str]:
    """Workflows with an open row of these causes, those not seen for the longest time first."""
    facts = {"causes": list(causes), "most": most}
    return [workflow_id for (workflow_id,) in reader.execute(_NOTED, facts)]


def see_again(writer: Writer, cause: Cause, workflow_ids: Collection[str], at: datetime) -> None:
    """Note that these are still stuck for that cause."""
    facts = {"cause": cause, "workflow_ids": list(workflow_ids), "at": at}
    writer.connection().execute(_SEE_AGAIN, facts)


def clear(writer: Writer, causes: Sequence[Cause], seen_before: datetime, at: datetime) -> int:
    """Close what has not been seen since; tell how many."""
    facts = {"causes": list(causes), "seen_before": seen_before, "at": at}
    return writer.connection().execute(_CLEAR, facts).rowcount


def clear_workflow(
    writer: Writer, workflow_id: str, at: datetime, cause: Cause | None = None, activity: str | None = None
) -> None:
    """Close what is noted of one workflow: all of it, of one cause, or of one activity."""
    facts = {"workflow_id": workflow_id, "at": at, "cause": cause, "activity": activity}
    writer.connection().execute(_CLEAR_WORKFLOW, facts)


def clear_activities(writer: Writer, workflow_id: str, pending: Sequence[str] | None, at: datetime) -> None:
    """Close what is noted of a workflow's activities that it does not wait for any more.

    Args:
        writer: The transaction.
        workflow_id: Which.
        pending: Types of those it waits for, as Temporal says, which knows no local ones; None: it has ended.
        at: When.
    """
    facts = {"workflow_id": workflow_id, "ended": pending is None, "pending": list(pending or ()), "at": at}
    writer.connection().execute(_CLEAR_ACTIVITIES, facts)


def page(
    reader: Reader, wanted: Filter, as_of: datetime, after: tuple[int, int] | None, limit: int
) -> list[Entry]:
    """Stuck work by age × people affected, the worst first, that comes after a (score, id).

    Args:
        reader: The snapshot.
        wanted: Which.
        as_of: The age is counted up to then: pages of one list name the same instant.
        after: The last entry of the page before.
        limit: How many at most.
    """
    score, id_ = after or (None, None)
    facts = wanted._asdict() | {"as_of": as_of, "score": score, "id": id_, "most": limit}
    return [Entry(*row) for row in reader.execute(_PAGE, facts)]


def count(reader: Reader, wanted: Filter) -> int:
    """How much of it there is."""
    return int(reader.execute(_COUNT, wanted._asdict()).scalar_one())


def of_case(reader: Reader, case_id: UUID) -> list[Entry]:
    """What is noted of one case now, the worst first."""
    return [Entry(*row) for row in reader.execute(_OF_CASE, {"case_id": case_id})]


_STUCK = SQLModel.metadata.tables["stuck_work"]
_INSERT = insert(_STUCK)
_NOTE = _INSERT.on_conflict_do_update(
    constraint="one_row_per_cause",
    set_={
        "since": text(
            "CASE WHEN stuck_work.cleared_at IS NULL THEN least(stuck_work.since, excluded.since)"
            " ELSE excluded.since END"
        ),
        "failure": text("coalesce(excluded.failure, stuck_work.failure)"),
        **{
            name: _INSERT.excluded[name]
            for name in ("local", "seen_at", "attempt", "people", "unit_code", "cleared_at")
        },
    },
)
_SEEN_AGAIN = """
ON CONFLICT ON CONSTRAINT one_row_per_cause DO UPDATE SET
    since = CASE WHEN stuck_work.cleared_at IS NULL THEN stuck_work.since ELSE excluded.since END,
    seen_at = excluded.seen_at, failure = excluded.failure, people = excluded.people,
    unit_code = excluded.unit_code, cleared_at = NULL
"""


_CHECKED_AT = """greatest(backup.saved_at, (
    SELECT max(checked_at) FROM deposit_check WHERE backup_id = backup.id
))"""


def _from_records(cause: Cause, activity: str, since: str, failure: str, where: str) -> Any:
    statement = f"""
    INSERT INTO stuck_work (workflow_id, case_id, case_kind, cause, activity, local, since, seen_at, attempt,
                            failure, people, unit_code)
    SELECT DISTINCT ON (workflow_id) workflow_id, workflow_case.case_id, workflow_case.kind, '{cause}',
           '{activity}', false, {since}, CAST(:at AS timestamptz), 0, {failure}, people,
           workflow_case.unit_code
    FROM {where}
    ORDER BY workflow_id, {since}
    {_SEEN_AGAIN}
    """  # noqa: S608  (our own words only)
    return text(statement)


_WITH_BACKUP = "workflow_case JOIN backup ON backup.id = case_id"
_OF_BACKUPS = f"{_WITH_BACKUP} WHERE kind = 'backup'"
_FROM_RECORDS = (
    _from_records(
        "timer_past_due",
        "",
        "due_at",
        "workflow_case.state",
        "workflow_case WHERE kind <> 'backup' AND due_at < CAST(:at AS timestamptz) - :grace",
    ),
    _from_records(
        "timer_past_due",
        "",
        "due_at",
        "backup.state",
        f"""{_OF_BACKUPS} AND backup.state IN ('draft', 'waiting_for_deposit')
            AND expires_at < CAST(:at AS timestamptz) - :grace""",
    ),
    _from_records(
        "timer_past_due",
        "look_up",
        f"{_CHECKED_AT} + :recheck_every",
        "'deposit_recheck'",
        f"""{_OF_BACKUPS} AND backup.state = 'waiting_for_deposit'
            AND {_CHECKED_AT} < CAST(:at AS timestamptz) - :recheck_every - :grace""",
    ),
    _from_records(
        "wait_past_due",
        "",
        "saved_at",
        "'waiting_for_deposit'",
        f"""{_OF_BACKUPS} AND backup.state = 'waiting_for_deposit'
            AND saved_at < CAST(:at AS timestamptz) - :deposits_overdue""",
    ),
    _from_records(
        "repository_silent",
        "look_up",
        "silent.checked_at",
        "silent.repository",
        f"""{_WITH_BACKUP} JOIN deposit_check AS silent ON silent.backup_id = backup.id
            WHERE kind = 'backup' AND backup.state = 'waiting_for_deposit'
            AND silent.result = 'unavailable' AND silent.source NOT IN ('offline', 'not_asked')""",
    ),
    _from_records(
        "delivery_failed",
        "send_message",
        "message.created_at",
        "coalesce(message.failure, message.state)",
        """workflow_case JOIN LATERAL (
               SELECT * FROM sms_message WHERE sms_message.case_id = workflow_case.case_id
               ORDER BY created_at DESC LIMIT 1
           ) AS message ON true
           WHERE workflow_case.kind IN ('claim', 'unit_claim') AND workflow_case.state = 'waiting_for_code'
           AND (message.state = 'failed' OR message.state IN ('pending', 'unknown')
                AND message.created_at < CAST(:at AS timestamptz) - :unanswered)""",
    ),
)
_UNANSWERED = text(
    """
    SELECT workflow_id, min(asked_at) AS since FROM operation JOIN workflow_case USING (case_id)
    WHERE outcome IS NULL AND asked_at > CAST(:at AS timestamptz) - :asked_within
    AND asked_at < CAST(:at AS timestamptz) - :unanswered
    GROUP BY workflow_id ORDER BY since LIMIT :most
    """
)
_NOTED = text(
    "SELECT workflow_id FROM stuck_work WHERE cleared_at IS NULL AND cause = ANY(:causes)"
    " GROUP BY workflow_id ORDER BY min(seen_at) LIMIT :most"
)
_SEE_AGAIN = text(
    "UPDATE stuck_work SET seen_at = :at"
    " WHERE cleared_at IS NULL AND cause = :cause AND workflow_id = ANY(:workflow_ids)"
)
_CLEAR = text(
    "UPDATE stuck_work SET cleared_at = :at"
    " WHERE cleared_at IS NULL AND cause = ANY(:causes) AND seen_at < :seen_before"
)
_CLEAR_WORKFLOW = text(
    "UPDATE stuck_work SET cleared_at = :at WHERE workflow_id = :workflow_id AND cleared_at IS NULL"
    " AND (CAST(:cause AS varchar) IS NULL OR cause = :cause)"
    " AND (CAST(:activity AS varchar) IS NULL OR activity = :activity)"
)
_CLEAR_ACTIVITIES = text(
    "UPDATE stuck_work SET cleared_at = :at"
    " WHERE workflow_id = :workflow_id AND cause = 'activity_retrying' AND cleared_at IS NULL"
    " AND (:ended OR NOT local AND activity <> ALL(:pending))"
)
_WANTED = """
    cleared_at IS NULL
    AND (CAST(:cause AS varchar) IS NULL OR cause = :cause)
    AND (CAST(:kind AS varchar) IS NULL OR case_kind = :kind)
    AND (CAST(:unit_code AS varchar) IS NULL OR unit_code = :unit_code)
"""
_COUNT = text(f"SELECT count(*) FROM stuck_work WHERE {_WANTED}")  # noqa: S608
_SCORED = """
    SELECT *, CAST(date_part('epoch', CAST({as_of} AS timestamptz) - since) * 1000 AS bigint) * people
           AS score
    FROM stuck_work
"""
_ENTRIES = """
    SELECT id, workflow_id, worst.case_id, case_kind, cause, activity, local, since, seen_at, attempt,
           failure, people, unit_code, score, coalesce(revision, 0), support
    FROM worst LEFT JOIN LATERAL (
        SELECT max(revision) AS revision,
               (array_agg(reference ORDER BY revision DESC)
                FILTER (WHERE action IN ('hand_to_support', 'take_back')))[1] AS support
        FROM operator_action WHERE operator_action.case_id = worst.case_id
    ) AS acts ON true
    ORDER BY score DESC, id
"""
_PAGE = text(
    f"""
    WITH scored AS ({_SCORED.format(as_of=":as_of")} WHERE {_WANTED}), worst AS (
        SELECT * FROM scored
        WHERE CAST(:score AS bigint) IS NULL OR (score, -id) < (:score, -CAST(:id AS bigint))
        ORDER BY score DESC, id LIMIT :most
    ) {_ENTRIES}
    """  # noqa: S608
)
_OF_CASE = text(
    f"""
    WITH worst AS ({_SCORED.format(as_of="now()")} WHERE cleared_at IS NULL AND case_id = :case_id) {_ENTRIES}
    """
)
