"""A backup as its rules see it: every step, every finding, by one release."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam
from sqlmodel import Session, and_, col, select

from rules.engine.procedures import Step
from rules.engine.submission import submission_record
from schemas.findings import Finding
from schemas.tables.backups import BackupStep, DepositCheck
from schemas.tables.contents import FormContent, ManifestContent, ManifestJudgement
from store.forms import FormStore
from store.manifests import Counts
from store.releases import Rulebook

ARRIVED = ("verified_public", "attested")
"""Results of a deposit check that end the wait."""


@dataclass
class AssessedStep:
    """One step of the procedure: what is saved of it, and what the release says."""

    step: Step
    saved: BackupStep | None = None
    record: dict[str, Any] | None = None
    """What its rules judge: the form, or the sums of the list."""
    manifest: ManifestContent | None = None
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


RowCounts = Callable[[Session, Rulebook, ManifestContent], Counts | None]
"""Counts the findings of a release on the rows of a list; None where it has not judged them."""


def stored_counts(session: Session, rulebook: Rulebook, manifest: ManifestContent) -> Counts | None:
    """What the release said when it judged the rows."""
    judgement = session.get(ManifestJudgement, (manifest.id, rulebook.release.digest))
    return Counts(judgement.errors, judgement.warnings, judgement.advice) if judgement else None


def assess(
    session: Session,
    rulebook: Rulebook,
    forms: FormStore,
    backup_id: UUID,
    rows: RowCounts = stored_counts,
) -> Assessment:
    """Judge everything saved of a backup; a step of the procedure that is not saved is open."""
    loaded = _load(session, backup_id, rulebook.release.digest)
    saved = {step.step: step for step, *_ in loaded}
    awaited = awaiting(session, backup_id)
    procedure = rulebook.release.procedure("backup-creation")
    steps = []
    for step in procedure.steps:
        assessed = AssessedStep(step)
        if step.id in saved:
            content_id = saved[step.id].content_id
            assessed = assess_content(session, rulebook, forms, step, content_id, awaited, rows)
            assessed.saved = saved[step.id]
        steps.append(assessed)
    record = submission_record(rulebook.release, procedure, {step.step.id: step.record for step in steps})
    findings = _judge(rulebook, procedure.judged_by, record)
    return Assessment(steps, findings, sum((step.counts for step in steps), Counts.of(findings)), awaited)


def _load(
    session: Session, backup_id: UUID, release: str
) -> Sequence[tuple[BackupStep, FormContent | None, ManifestContent | None, ManifestJudgement | None]]:
    """The saved steps with what they refer to, in one query: whoever asks the session for it has it there."""
    return session.exec(_SAVED, params={"backup_id": backup_id, "release": release}).all()


def awaiting(session: Session, backup_id: UUID) -> list[str]:
    """Repositories whose deposits are on their way, by the current lists and what was heard since."""
    asked = {"backup_id": backup_id}
    awaited = {repository for row in session.exec(_IN_TRANSIT, params=asked) for repository in row}
    if not awaited:
        return []
    there = session.exec(_ARRIVED, params=asked).all()
    return sorted(awaited.difference(there))


# Statements of every save and submission, built once: that costs more than PostgreSQL takes to answer them.
_CONTENT = col(BackupStep.content_id)
_SAVED = (
    select(BackupStep, FormContent, ManifestContent, ManifestJudgement)
    .outerjoin(FormContent, col(FormContent.id) == _CONTENT)
    .outerjoin(ManifestContent, col(ManifestContent.id) == _CONTENT)
    .outerjoin(
        ManifestJudgement,
        and_(
            col(ManifestJudgement.manifest_id) == _CONTENT,
            col(ManifestJudgement.release_digest) == bindparam("release"),
        ),
    )
    .where(col(BackupStep.backup_id) == bindparam("backup_id"))
)
_IN_TRANSIT = (
    select(col(ManifestContent.in_transit))
    .join(BackupStep, ManifestContent.id == _CONTENT)  # type: ignore[arg-type]  # SQLModel's columns
    .where(col(BackupStep.backup_id) == bindparam("backup_id"))
)
_ARRIVED = select(DepositCheck.repository).where(
    col(DepositCheck.backup_id) == bindparam("backup_id"), col(DepositCheck.result).in_(ARRIVED)
)


def assess_content(
    session: Session,
    rulebook: Rulebook,
    forms: FormStore,
    step: Step,
    content_id: UUID,
    awaited: list[str],
    rows: RowCounts = stored_counts,
) -> AssessedStep:
    """Judge one content for one step, whether or not the step refers to it now."""
    if step.kind == "form":
        form = forms.read(session, content_id)
        findings = _judge(rulebook, step.judged_by, form)
        return AssessedStep(step, record=form, findings=findings, counts=Counts.of(findings))
    manifest = session.get_one(ManifestContent, content_id)
    judged = rows(session, rulebook, manifest)
    on_rows = judged or Counts()
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
        judged=judged is not None,
    )


def _judge(rulebook: Rulebook, subjects: Iterable[str], record: Mapping[str, Any]) -> list[Finding]:
    return [finding for subject in subjects for finding in rulebook.judge.judge(subject, record)]
