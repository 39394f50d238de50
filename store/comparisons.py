"""Comparisons of releases in PostgreSQL: what is asked, how far it has come, what it found."""

from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select, update

from rules.engine.diff import Difference
from schemas.errors import Refusal
from schemas.tables.backups import Operation
from schemas.tables.rulebook import RuleComparison, RuleImpactChange
from store.database import Reader, Writer
from store.impact import GROUPS, Group, Impact, Sums

Kind = Literal["rule_diff", "rule_impact"]
FORGOTTEN = timedelta(hours=1)
"""After this a comparison that nobody finishes no longer keeps its asker from asking another."""
RETRY_AFTER = 10


def begin(writer: Writer, comparison: RuleComparison, account_id: UUID) -> None:
    """Note what is to be compared, once.

    Raises:
        Refusal: ``rate_limited``, while another comparison of the same account runs: each takes one
            processor.
    """
    running = select(Operation.id).where(
        Operation.account_id == account_id,
        Operation.case_id != comparison.id,
        col(Operation.kind).in_(("rule_diff", "rule_impact")),
        col(Operation.finished_at).is_(None),
        Operation.asked_at > datetime.now(UTC) - FORGOTTEN,
    )
    if writer.exec(running.limit(1)).first() is not None:
        raise Refusal("rate_limited", retry_after=RETRY_AFTER)
    row = comparison.model_dump(include={"id", "old", "new", "done"})
    writer.execute(insert(RuleComparison).values(row).on_conflict_do_nothing())


def tell(writer: Writer, comparison_id: UUID, done: int, total: int) -> None:
    """Note how far a comparison has come."""
    writer.execute(
        update(RuleComparison).where(col(RuleComparison.id) == comparison_id).values(done=done, total=total)
    )


def keep_difference(writer: Writer, comparison_id: UUID, found: Difference) -> None:
    """Note what two releases decide otherwise."""
    kept = {"done": found.asked, "result": found.as_json()}
    writer.execute(update(RuleComparison).where(col(RuleComparison.id) == comparison_id).values(kept))


def keep_changes(writer: Writer, comparison_id: UUID, found: Impact) -> None:
    """Note how far a replay has come, and take the changes it has found since the last note."""
    if found.changed:
        rows = [
            {
                "comparison_id": comparison_id,
                "backup_id": change.id,
                "state": change.group,
                **change.model_dump(include={"before", "after", "rules"}),
            }
            for change in found.changed
        ]
        writer.execute(insert(RuleImpactChange).values(rows).on_conflict_do_nothing())
        found.changed.clear()
    kept = {"done": sum(found.seen.values()), "resume": found.model_dump(mode="json", exclude={"changed"})}
    writer.execute(update(RuleComparison).where(col(RuleComparison.id) == comparison_id).values(kept))


def finish(writer: Writer, operation_id: UUID) -> None:
    """Close the operation of a comparison whose result is kept."""
    operation = writer.get_one(Operation, operation_id, with_for_update=True)
    if operation.outcome is None:
        operation.outcome, operation.finished_at = {}, datetime.now(UTC)
        done = update(RuleComparison).where(col(RuleComparison.id) == operation.case_id)
        writer.execute(done.values(total=RuleComparison.done))


def find(
    reader: Reader, kind: Kind, account_id: UUID, comparison_id: UUID
) -> tuple[RuleComparison, Operation]:
    """A comparison that an account asked for.

    Raises:
        Refusal: ``not_found``.
    """
    query = (
        select(RuleComparison, Operation)
        .join(Operation, col(Operation.case_id) == RuleComparison.id)
        .where(RuleComparison.id == comparison_id, Operation.account_id == account_id, Operation.kind == kind)
    )
    found = reader.exec(query).first()
    if found is None:
        raise Refusal("not_found")
    return found


def sums(session: Session, comparison: RuleComparison) -> list[Sums]:
    """What a replay has found so far, group by group."""
    seen = Impact.model_validate(comparison.resume).seen if comparison.resume else {}
    kinds = (RuleImpactChange.state, RuleImpactChange.before, RuleImpactChange.after)
    query = (
        select(*kinds, func.count())
        .where(RuleImpactChange.comparison_id == comparison.id)
        .group_by(*(col(kind) for kind in kinds))
    )
    found: dict[str, dict[tuple[str, str], int]] = {group: {} for group in GROUPS}
    for group, before, after, times in session.exec(query):
        found[group][before, after] = times
    return [Sums.of(group, seen.get(group, 0), found[group]) for group in GROUPS]


def changes(
    reader: Reader, comparison_id: UUID, group: Group | None, after: UUID | None, limit: int
) -> list[RuleImpactChange]:
    """Backups that change, by id."""
    query = select(RuleImpactChange).where(RuleImpactChange.comparison_id == comparison_id)
    if group is not None:
        query = query.where(RuleImpactChange.state == group)
    if after is not None:
        query = query.where(col(RuleImpactChange.backup_id) > after)
    return list(reader.exec(query.order_by(col(RuleImpactChange.backup_id)).limit(limit)))
