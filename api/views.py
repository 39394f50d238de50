"""Answers about backups: what the store knows, put into words of the request's language."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row

from manifests.reader import Fault, fault_sentence
from rules.engine.procedures import Step
from rules.engine.release import Release
from rules.engine.sentences import basis, sentence
from schemas.findings import Finding
from schemas.http import backups as http
from schemas.tables.backups import OPEN_STATES, Backup, BackupState, Operation
from schemas.tables.contents import ManifestFault
from schemas.texts import Language, Text
from store import queries
from store.database import Reader
from store.manifests import Counts
from store.submissions import AssessedStep, Assessment, StoredList, awaiting


def spoken(text: Text, language: Language) -> str:
    """A bilingual text in one language."""
    return text.zh if language == "zh" else text.en


def release_ref(release: Release) -> http.ReleaseRef:
    """A release by its names."""
    return http.ReleaseRef(version=release.version, digest=release.digest)


def finding(release: Release, step: str | None, found: Finding, language: Language) -> http.FindingView:
    """One remark with its sentence and its basis."""
    return http.FindingView(
        step=step,
        rule=found.rule,
        severity=found.severity,
        pointer=found.pointer,
        line=found.line,
        column=found.column,
        message=sentence(release, found, language),
        basis=[
            http.Citation(instrument=citation.title, article=citation.article)
            for citation in basis(release, found, language)
        ],
    )


def findings(
    release: Release, step: str | None, found: Iterable[Finding], language: Language
) -> list[http.FindingView]:
    """Remarks with their sentences."""
    return [finding(release, step, each, language) for each in found]


def row_fault(step: str, row: ManifestFault, language: Language) -> http.FindingView:
    """A row that could not be read, told like a finding of the rules."""
    fault = Fault(row.code, row.line, row.column, tuple(row.facts))
    return http.FindingView(
        step=step,
        rule=f"file.{row.code}" if not row.code.startswith("file.") else row.code,
        severity="error",
        pointer="",
        line=row.line,
        column=row.column,
        message=fault_sentence(fault, language),
    )


def counts(found: Counts) -> http.FindingCounts:
    """Findings by severity."""
    return http.FindingCounts(errors=found.error, warnings=found.warning, advice=found.advice)


def manifest(content: StoredList) -> http.ManifestView:
    """A list in numbers."""
    return http.ManifestView.model_validate(content, from_attributes=True)


def step_summary(assessed: AssessedStep, language: Language) -> http.StepSummary:
    """One step in the list of steps."""
    return http.StepSummary(**_step_fields(assessed, language))


def step(release: Release, assessed: AssessedStep, language: Language) -> http.StepView:
    """One step with what is saved of it."""
    return http.StepView(
        **_step_fields(assessed, language),
        content=assessed.record if assessed.step.kind == "form" else None,
        manifest=manifest(assessed.manifest) if assessed.manifest else None,
        remarks=findings(release, assessed.step.id, assessed.findings, language),
    )


def _step_fields(assessed: AssessedStep, language: Language) -> dict[str, object]:
    declared: Step = assessed.step
    saved = assessed.saved
    return {
        "id": declared.id,
        "title": spoken(declared.title, language),
        "kind": declared.kind,
        "required": declared.required,
        "status": "saved" if saved else "open",
        "revision": saved.revision if saved else 0,
        "saved_at": saved.saved_at if saved else None,
        "findings": counts(assessed.counts),
        "judged": assessed.judged,
    }


def backup_summary(row: Backup | Row[Any]) -> http.BackupSummary:
    """One backup in a list."""
    return http.BackupSummary(**_backup_fields(row))


def backup(
    row: Backup,
    release: Release,
    assessment: Assessment,
    waiting: list[http.WaitingFor],
    language: Language,
) -> http.BackupView:
    """One backup with its steps."""
    return http.BackupView(
        **_backup_fields(row),
        creator_id=row.creator_id,
        delegate_id=row.delegate_id,
        unit_code=row.unit_code,
        closed_at=row.closed_at,
        judged_by=None if row.registrant_id else release_ref(release),
        steps=[step_summary(assessed, language) for assessed in assessment.steps],
        findings=counts(assessment.counts),
        remarks=findings(release, None, assessment.findings, language),
        waiting_for=waiting,
    )


def _backup_fields(row: Backup | Row[Any]) -> dict[str, object]:
    return {
        "id": row.id,
        "number": row.number,
        "state": str(row.state),
        "title": row.title,
        "created_at": row.created_at,
        "saved_at": row.saved_at,
        "expires_at": row.expires_at if row.state in OPEN_STATES else None,
        "version": row.version,
        "corrects_id": row.corrects_id,
    }


def waiting_for(reader: Reader, release: Release, row: Backup, language: Language) -> list[http.WaitingFor]:
    """Whom a draft waits for, since when, and how to reach them (notice, section 五)."""
    if row.state != BackupState.WAITING_FOR_DEPOSIT:
        return []
    since = queries.deposits_saved_at(reader, row.id)
    waits = []
    for repository_id in awaiting(reader, row.id):
        repository = release.repositories.get(repository_id)
        contacts = repository.contacts if repository else None
        waits.append(
            http.WaitingFor(
                kind="repository",
                who=f"{repository.name} {spoken(repository.title, language)}"
                if repository
                else repository_id,
                since=since[repository_id],
                contact=http.Contact(email=contacts.email, qq_group=contacts.qq_group) if contacts else None,
            )
        )
    return waits


def operation(row: Operation, waiting: list[http.WaitingFor]) -> http.OperationView:
    """One operation: where it stands, and whom it waits for."""
    outcome = row.outcome
    if outcome is None:
        platform = http.WaitingFor(kind="platform", who="hgrip", since=row.asked_at)
        waiting = [platform, *waiting]
    return http.OperationView(
        id=row.id,
        kind=row.kind,
        case_id=row.case_id,
        state=_operation_state(outcome, waiting),
        asked_at=row.asked_at,
        finished_at=row.finished_at,
        refused=outcome.get("refused") if outcome else None,
        waiting_for=waiting,
    )


def _operation_state(
    outcome: dict[str, object] | None, waiting: list[http.WaitingFor]
) -> http.OperationState:
    if outcome is None:
        return "RUNNING"
    if "refused" in outcome:
        return "REJECTED"
    verdict = outcome.get("verdict")
    if isinstance(verdict, dict) and not verdict["accepted"]:
        return "WAITING_EXTERNAL" if waiting else "REJECTED"
    return "SUCCEEDED"
