"""A backup as its rules see it: every step, every finding, by one release."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import FromClause, Row, Select, Uuid, and_, bindparam, select
from sqlmodel import Session, SQLModel

from rules.engine.procedures import Step
from rules.engine.submission import submission_record
from schemas.findings import Finding
from schemas.tables.backups import BackupState
from store.forms import FormStore
from store.manifests import Counts
from store.releases import Rulebook

ARRIVED = ("verified_public", "attested")
"""Results of a deposit check that end the wait."""


class SavedStep(NamedTuple):
    """What a step refers to."""

    revision: int
    content_id: UUID
    saved_at: datetime


class StoredList(NamedTuple):
    """A list in numbers, and what one release said of its rows: None where it has not judged them."""

    id: UUID
    sha256: str
    form: str
    format: str
    listing: str
    rows: int
    unreadable_rows: int
    categories: list[str]
    repositories: list[str]
    in_transit: list[str]
    judged: Counts | None


@dataclass
class AssessedStep:
    """One step of the procedure: what is saved of it, and what the release says."""

    step: Step
    saved: SavedStep | None = None
    record: dict[str, Any] | None = None
    """What its rules judge: the form, or the sums of the list."""
    manifest: StoredList | None = None
    findings: list[Finding] = field(default_factory=list)
    """Findings on the form, or on the list as a whole; those on its rows are in the database."""
    counts: Counts = field(default_factory=Counts)
    """All findings of the step, those on rows included."""
    judged: bool = True
    """False for a list whose rows this release has not judged yet."""


@dataclass
class Assessment:
    """All steps, and the findings on the whole."""

    steps: list[AssessedStep]
    findings: list[Finding]
    counts: Counts
    awaiting: list[str]

    @property
    def unjudged(self) -> list[UUID]:
        """Lists that must be judged before a verdict."""
        return [step.saved.content_id for step in self.steps if step.saved and not step.judged]

    @property
    def accepted(self) -> bool:
        """Whether nothing blocks."""
        return self.counts.error == 0 and not self.unjudged


RowCounts = Callable[[StoredList], Counts | None]
"""Counts the findings of a release on the rows of a list; None where it has not judged them."""


def _as_stored(manifest: StoredList) -> Counts | None:
    return manifest.judged


def assess(
    session: Session, rulebook: Rulebook, forms: FormStore, backup_id: UUID, rows: RowCounts = _as_stored
) -> Assessment:
    """Judge everything saved of a backup; a step of the procedure that is not saved is open."""
    asked = {"backup_id": backup_id, "release": rulebook.release.digest}
    saved = {row.step: row for row in session.connection().execute(_SAVED, asked)}
    in_transit = {repository for row in saved.values() for repository in row.in_transit or ()}
    awaited = still_awaited(session, backup_id, in_transit)
    procedure = rulebook.release.procedure("backup-creation")
    steps = []
    for step in procedure.steps:
        assessed = AssessedStep(step)
        row = saved.get(step.id)
        if row is not None:
            assessed = _assess_step(rulebook, forms, step, row, awaited, rows)
            assessed.saved = SavedStep(row.revision, row.content_id, row.saved_at)
        steps.append(assessed)
    record = submission_record(rulebook.release, procedure, {step.step.id: step.record for step in steps})
    findings = _judge(rulebook, procedure.judged_by, record)
    return Assessment(steps, findings, sum((step.counts for step in steps), Counts.of(findings)), awaited)


def assess_content(
    session: Session,
    rulebook: Rulebook,
    forms: FormStore,
    step: Step,
    content_id: UUID,
    awaited: list[str],
) -> AssessedStep:
    """Judge one content for one step, whether or not the step refers to it now."""
    asked = {"content_id": content_id, "release": rulebook.release.digest}
    row = session.connection().execute(_CONTENT, asked).one()
    return _assess_step(rulebook, forms, step, row, awaited, _as_stored)


def awaiting(session: Session, backup_id: UUID) -> list[str]:
    """Repositories whose deposits are on their way, by the current lists and what was heard since."""
    lists = session.connection().execute(_IN_TRANSIT, {"backup_id": backup_id}).scalars()
    return still_awaited(
        session, backup_id, {repository for in_transit in lists for repository in in_transit}
    )


def still_awaited(session: Session, backup_id: UUID, in_transit: set[str]) -> list[str]:
    """Of the repositories that lists say to wait for, those not heard of since."""
    if not in_transit:
        return []
    there = session.connection().execute(_ARRIVED, {"backup_id": backup_id}).scalars()
    return sorted(in_transit.difference(there))


def open_state(awaited: list[str]) -> str:
    """The state of a draft whose deposits on their way these are."""
    return (BackupState.WAITING_FOR_DEPOSIT if awaited else BackupState.DRAFT).value


def _assess_step(
    rulebook: Rulebook, forms: FormStore, step: Step, row: Row[Any], awaited: list[str], rows: RowCounts
) -> AssessedStep:
    if step.kind == "form":
        form = forms.joined(row.content_id, row.body, row.personal)
        findings = _judge(rulebook, step.judged_by, form)
        return AssessedStep(step, record=form, findings=findings, counts=Counts.of(findings))
    judged = None if row.errors is None else Counts(row.errors, row.warnings, row.advice)
    manifest = StoredList(
        **{name: getattr(row, name) for name in StoredList._fields[1:-1]}, id=row.content_id, judged=judged
    )
    counted = rows(manifest)
    on_rows = counted or Counts()
    record = {
        "rows": manifest.rows,
        "unreadable_rows": manifest.unreadable_rows,
        "categories": manifest.categories,
        "repositories": manifest.repositories,
        "in_transit": awaited,
        "errors": on_rows.error,
    }
    findings = _judge(rulebook, [subject for subject in step.judged_by if subject != step.form], record)
    return AssessedStep(
        step,
        record=record,
        manifest=manifest,
        findings=findings,
        counts=Counts.of(findings) + on_rows + Counts(error=manifest.unreadable_rows),
        judged=counted is not None,
    )


def _judge(rulebook: Rulebook, subjects: Iterable[str], record: Mapping[str, Any]) -> list[Finding]:
    return [finding for subject in subjects for finding in rulebook.judge.judge(subject, record)]


# Statements of every save and submission: on tables, and built once. Objects of the session's and a
# statement built anew cost more than PostgreSQL takes to answer.
_STEPS, _FORMS, _LISTS, _JUDGEMENTS, _CHECKS = (
    SQLModel.metadata.tables[name]
    for name in ("backup_step", "form_content", "manifest", "manifest_judgement", "deposit_check")
)
_OF_BACKUP = _STEPS.c.backup_id == bindparam("backup_id")


def _contents(source: FromClause, *more: Any) -> Select[Any]:
    """Whatever the ``content_id`` of a source names, with what one release said of it."""
    of_form = (_FORMS.c[name] for name in ("body", "personal"))
    of_list = (_LISTS.c[name] for name in StoredList._fields[1:-1])
    of_judgement = (_JUDGEMENTS.c[name] for name in ("errors", "warnings", "advice"))
    judged = and_(
        _JUDGEMENTS.c.manifest_id == source.c.content_id,
        _JUDGEMENTS.c.release_digest == bindparam("release"),
    )
    return select(source.c.content_id, *more, *of_form, *of_list, *of_judgement).select_from(
        source.outerjoin(_FORMS, _FORMS.c.id == source.c.content_id)
        .outerjoin(_LISTS, _LISTS.c.id == source.c.content_id)
        .outerjoin(_JUDGEMENTS, judged)
    )


_SAVED = _contents(_STEPS, _STEPS.c.step, _STEPS.c.revision, _STEPS.c.saved_at).where(_OF_BACKUP)
_CONTENT = _contents(select(bindparam("content_id", type_=Uuid()).label("content_id")).subquery())
_IN_TRANSIT = select(_LISTS.c.in_transit).join(_STEPS, _STEPS.c.content_id == _LISTS.c.id).where(_OF_BACKUP)
_ARRIVED = select(_CHECKS.c.repository).where(
    _CHECKS.c.backup_id == bindparam("backup_id"), _CHECKS.c.result.in_(ARRIVED)
)
