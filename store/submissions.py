"""A backup as its rules see it: every step, every finding, by one release."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from rules.engine.procedures import Step
from rules.engine.submission import submission_record
from schemas.findings import Finding
from schemas.tables.backups import BackupStep, DepositCheck
from schemas.tables.contents import ManifestContent, ManifestJudgement
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
    form: dict[str, Any] | None = None
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


def assess(session: Session, rulebook: Rulebook, forms: FormStore, backup_id: UUID) -> Assessment:
    """Judge everything saved of a backup; a step of the procedure that is not saved is open."""
    saved = {
        row.step: row for row in session.exec(select(BackupStep).where(BackupStep.backup_id == backup_id))
    }
    awaited = awaiting(session, backup_id)
    steps = []
    for step in rulebook.release.procedure("backup-creation").steps:
        steps.append(_assess_step(session, rulebook, forms, step, saved.get(step.id), awaited))
    record = submission_record(
        rulebook.release,
        {s.step.id: s.form if s.step.kind == "form" else _manifest_record(s, awaited) for s in steps},
    )
    findings = rulebook.judge.judge("submission", record)
    counts = Counts.of(findings)
    for assessed in steps:
        for severity, times in vars(assessed.counts).items():
            counts.count(severity, times)
    return Assessment(steps, findings, counts, awaited)


def awaiting(session: Session, backup_id: UUID) -> list[str]:
    """Repositories whose deposits are on their way, by the current lists and what was heard since."""
    lists = (
        select(ManifestContent.in_transit)
        .join(BackupStep, col(BackupStep.content_id) == ManifestContent.id)
        .where(BackupStep.backup_id == backup_id)
    )
    arrived = select(DepositCheck.repository).where(
        DepositCheck.backup_id == backup_id, col(DepositCheck.result).in_(ARRIVED)
    )
    awaited = {repository for row in session.exec(lists) for repository in row}
    return sorted(awaited - set(session.exec(arrived))) if awaited else []


def _assess_step(
    session: Session,
    rulebook: Rulebook,
    forms: FormStore,
    step: Step,
    saved: BackupStep | None,
    awaited: list[str],
) -> AssessedStep:
    assessed = AssessedStep(step, saved)
    if saved is None:
        return assessed
    if step.kind == "form":
        assessed.form = forms.read(session, saved.content_id)
        assessed.findings = rulebook.judge.judge(step.form, assessed.form)
        assessed.counts = Counts.of(assessed.findings)
        return assessed
    assessed.manifest = session.get_one(ManifestContent, saved.content_id)
    judgement = session.get(ManifestJudgement, (saved.content_id, rulebook.release.digest))
    assessed.judged = judgement is not None
    record = _manifest_record(assessed, awaited)
    assessed.findings = rulebook.judge.judge("manifest", record)
    assessed.counts = Counts.of(assessed.findings)
    if judgement is not None:
        assessed.counts.count("error", judgement.errors)
        assessed.counts.count("warning", judgement.warnings)
        assessed.counts.count("advice", judgement.advice)
    return assessed


def _manifest_record(assessed: AssessedStep, awaited: list[str]) -> dict[str, Any] | None:
    if assessed.manifest is None:
        return None
    return {
        "rows": assessed.manifest.rows,
        "unreadable_rows": assessed.manifest.unreadable_rows,
        "categories": assessed.manifest.categories,
        "repositories": assessed.manifest.repositories,
        "in_transit": awaited,
    }
