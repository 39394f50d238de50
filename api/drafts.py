"""Changes of drafts. Each is noted, sent to the workflow of its backup, and answered from the ledger."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Response
from starlette.concurrency import run_in_threadpool

from api import commands, views
from api.accounts import Member, viewer
from api.auth import Identity
from api.backups import find_step, judging, procedure_step
from api.bodies import StrictRoute
from api.changes import Key, Revision, asked, carry_out, new_backup_id
from api.commands import StillRunningError
from api.language import LanguageDep
from api.platform import Platform, PlatformDep
from api.problems import StaleProblem, StaleRevision, etag
from rules.engine.procedures import Step
from schemas.contracts import backups as contract
from schemas.errors import Refusal
from schemas.http import backups as http
from schemas.tables.backups import Backup
from schemas.texts import Language, Text
from store import queries
from store.database import Reader, Writer, reading
from store.operations import Asked
from store.releases import Rulebook
from store.submissions import assess, assess_content
from workflows.backup_creation import BackupCreation

router = APIRouter(prefix="/v1/backups", tags=["draft"], route_class=StrictRoute)

Form = Annotated[
    dict[str, Any],
    Body(
        description="The form; saved whatever it says, findings come beside it",
        examples=[{"title": "高原人群全基因组研究", "study_type": "healthy"}],
    ),
]
ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {"model": http.OperationView, "description": "Accepted, not done yet: ask the operation"}
}
SAVE: dict[int | str, dict[str, Any]] = ACCEPTED | {
    412: {"model": StaleProblem, "description": "The step has been saved since; with what is saved now"}
}


@router.post(
    "", status_code=201, operation_id="createBackup", summary="新建备份 / Create a backup", responses=ACCEPTED
)
async def create_backup(
    body: http.NewBackup,
    key: Key,
    who: Member,
    platform: PlatformDep,
    spoken: LanguageDep,
    response: Response,
) -> http.StepSavedView | http.OperationView:
    """Open a backup with the first save of one of its form steps."""
    backup_id = new_backup_id(who.account_id, key)
    change = asked(platform, who.account_id, backup_id, "save_step", str(key), body.model_dump())
    declared, rulebook = await run_in_threadpool(declared_step, platform, body.step, "form")
    _require_size(rulebook, platform, body.content)
    opening = contract.OpenBackup(
        backup_id=backup_id,
        creator_id=who.account_id,
        unit_code=who.unit_code,
        release=rulebook.release.version,
        due_at=rulebook.release.procedure("backup-creation").first_due(datetime.now(UTC)),
    )
    save = contract.SaveStep(
        step=body.step,
        revision=0,
        content_id=change.id,
        sha256=platform.forms.digest(body.content),
        account_id=who.account_id,
    )
    response.headers["Location"] = f"/v1/backups/{backup_id}"
    return await saved(
        platform,
        change,
        declared,
        rulebook,
        lambda writer: platform.forms.add(
            writer, change.id, who.account_id, rulebook.release, declared.form, body.content
        ),
        lambda: commands.open_backup(
            platform.temporal,
            platform.task_queue,
            opening,
            BackupCreation.save_step,
            save,
            change.update_id,
        ),
        spoken,
        response,
    )


@router.put(
    "/{backup_id}/steps/{step}", operation_id="saveForm", summary="保存表单 / Save a form", responses=SAVE
)
async def save_form(
    backup_id: UUID,
    step: str,
    content: Form,
    revision: Revision,
    who: Member,
    platform: PlatformDep,
    spoken: LanguageDep,
    response: Response,
) -> http.StepSavedView | http.OperationView:
    """Save one form step over the revision named in If-Match; the same save repeated is the same save."""
    declared, rulebook = await run_in_threadpool(declared_step, platform, step, "form")
    _require_size(rulebook, platform, content)
    await run_in_threadpool(require_own, platform, who, backup_id)
    digest = platform.forms.digest(content)
    update_id = f"{step}-{revision}-{digest}"
    change = asked(platform, who.account_id, backup_id, "save_step", update_id, digest)
    await run_in_threadpool(require_current, platform, change, step, revision, spoken)
    save = contract.SaveStep(
        step=step, revision=revision, content_id=change.id, sha256=digest, account_id=who.account_id
    )
    return await saved(
        platform,
        change,
        declared,
        rulebook,
        lambda writer: platform.forms.add(
            writer, change.id, who.account_id, rulebook.release, declared.form, content
        ),
        lambda: send_update(platform, BackupCreation.save_step, save, change),
        spoken,
        response,
    )


@router.post(
    "/{backup_id}/submission",
    operation_id="submitBackup",
    summary="提交并申请备份编号 / Submit",
    responses=ACCEPTED,
)
async def submit(
    backup_id: UUID, key: Key, who: Member, platform: PlatformDep, spoken: LanguageDep, response: Response
) -> http.SubmissionView | http.OperationView:
    """Ask for the backup number. A rejection is an answer, not an error: the draft goes on."""
    await run_in_threadpool(require_own, platform, who, backup_id)
    change = asked(platform, who.account_id, backup_id, "submit", str(key), None)
    command = contract.Submit(account_id=who.account_id)
    answer = await _updated(platform, change, BackupCreation.submit, command, response)
    if answer is None:
        return await run_in_threadpool(still_running, platform, change, response)
    sealed = contract.Sealed.model_validate(answer)
    return await run_in_threadpool(_submission, platform, change, sealed, spoken)


@router.post(
    "/{backup_id}/withdrawal",
    operation_id="withdrawBackup",
    summary="撤回草稿 / Withdraw",
    responses=ACCEPTED,
)
async def withdraw(
    backup_id: UUID, key: Key, who: Member, platform: PlatformDep, response: Response
) -> http.BackupSummary | http.OperationView:
    """Give a draft up. What was saved of it stays readable."""
    await run_in_threadpool(require_own, platform, who, backup_id)
    change = asked(platform, who.account_id, backup_id, "withdrawn", str(key), None)
    command = contract.Withdraw(account_id=who.account_id)
    answer = await _updated(platform, change, BackupCreation.withdraw, command, response)
    return await _summary_or_running(platform, change, answer, response)


@router.post(
    "/{backup_id}/deposit-checks",
    operation_id="checkDeposits",
    summary="核对递交情况 / Check deposits",
    responses=ACCEPTED,
)
async def check_deposits(
    backup_id: UUID,
    body: http.DepositCheckRequest,
    key: Key,
    who: Member,
    platform: PlatformDep,
    response: Response,
) -> http.BackupSummary | http.OperationView:
    """Ask the repositories whether deposits on their way have arrived, or say that one has told you so."""
    await run_in_threadpool(require_own, platform, who, backup_id)
    await run_in_threadpool(_require_repository, platform, body.attested)
    change = asked(platform, who.account_id, backup_id, "check_deposits", str(key), body.attested)
    command = contract.CheckDeposits(account_id=who.account_id, attested=body.attested)
    answer = await _updated(platform, change, BackupCreation.check_deposits, command, response)
    return await _summary_or_running(platform, change, answer, response)


def declared_step(platform: Platform, step: str, kind: str) -> tuple[Step, Rulebook]:
    """A step of the procedure in force, of the kind the request is made for.

    Raises:
        Refusal: ``unknown_step`` or ``wrong_step_kind``.
    """
    with reading(platform.engine) as reader:
        rulebook = platform.rulebooks.in_force(reader, datetime.now(UTC))
    declared = procedure_step(rulebook.release, step)
    if declared.kind != kind:
        raise Refusal("wrong_step_kind")
    return declared, rulebook


def require_own(platform: Platform, who: Identity, backup_id: UUID) -> None:
    """Refuse what is not the viewer's own backup, before anything is stored for it."""
    with reading(platform.engine) as reader:
        queries.own_backup(reader, viewer(who), backup_id)


def require_current(platform: Platform, change: Asked, step: str, revision: int, spoken: Language) -> None:
    """Refuse a stale save before anything is stored for it, unless it repeats one that was asked before.

    Raises:
        Refusal: ``stale_revision``, with the step as it is saved now.
    """
    with reading(platform.engine) as reader:
        now = queries.step_revision(reader, change.case_id, step)
        if now != revision and not queries.was_asked(reader, change.id):
            raise _stale(reader, platform, change.case_id, step, spoken)


def _stale(reader: Reader, platform: Platform, backup_id: UUID, step: str, spoken: Language) -> StaleRevision:
    rulebook = judging(reader, platform, reader.get_one(Backup, backup_id))
    assessed = find_step(assess(reader, rulebook, platform.forms, backup_id), step)
    return StaleRevision(views.step(rulebook.release, assessed, spoken))


async def saved(
    platform: Platform,
    change: Asked,
    declared: Step,
    rulebook: Rulebook,
    store_content: Callable[[Writer], object],
    send: Callable[[], Awaitable[None]],
    spoken: Language,
    response: Response,
) -> http.StepSavedView | http.OperationView:
    """Carry a save out and tell what the rules say of it.

    Raises:
        Refusal: As `carry_out`; ``stale_revision`` shows the step as it is saved now.
    """
    try:
        answer = await changed(platform, change, send, response, store_content)
    except Refusal as refusal:
        if refusal.error.code != "stale_revision":
            raise
        raise await run_in_threadpool(_overtaken, platform, change, declared, spoken) from None
    if answer is None:
        return await run_in_threadpool(still_running, platform, change, response)
    recorded = contract.StepRecorded.model_validate(answer)
    response.headers["ETag"] = etag(recorded.saved.revision)
    return await run_in_threadpool(_step_saved, platform, change, declared, rulebook, recorded, spoken)


def _overtaken(platform: Platform, change: Asked, declared: Step, spoken: Language) -> StaleRevision:
    with reading(platform.engine) as reader:
        return _stale(reader, platform, change.case_id, declared.id, spoken)


async def changed(
    platform: Platform,
    change: Asked,
    send: Callable[[], Awaitable[object]],
    response: Response,
    store_content: Callable[[Writer], object] = lambda writer: None,
) -> dict[str, Any] | None:
    """The answer to a change; None when it was accepted and is not done yet."""
    try:
        outcome = await carry_out(platform, change, store_content, send)
    except StillRunningError:
        return None
    if outcome.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return outcome.answer


async def _updated(
    platform: Platform, change: Asked, update: Any, command: contract.Message, response: Response
) -> dict[str, Any] | None:
    """The answer to a change that brings no content."""
    return await changed(platform, change, lambda: send_update(platform, update, command, change), response)


async def _summary_or_running(
    platform: Platform, change: Asked, answer: dict[str, Any] | None, response: Response
) -> http.BackupSummary | http.OperationView:
    if answer is None:
        return await run_in_threadpool(still_running, platform, change, response)
    return await run_in_threadpool(_summary, platform, change.case_id)


def still_running(platform: Platform, change: Asked, response: Response) -> http.OperationView:
    """Turn the answer into 202 Accepted with the operation to ask."""
    response.status_code = 202
    response.headers["Location"] = f"/v1/operations/{change.id}"
    response.headers["Retry-After"] = str(commands.RETRY_AFTER)
    with reading(platform.engine) as reader:
        return views.operation(queries.noted_operation(reader, change.id), [])


def send_update(platform: Platform, update: Any, command: contract.Message, change: Asked) -> Awaitable[None]:
    """Send the workflow of a backup one of its updates."""
    return commands.update(platform.temporal, change.case_id, update, command, change.update_id)


def _require_repository(platform: Platform, attested: str | None) -> None:
    with reading(platform.engine) as reader:
        repositories = platform.rulebooks.in_force(reader, datetime.now(UTC)).release.repositories
    if attested is not None and attested not in repositories:
        known = ", ".join(repositories)
        where = Text(f"请填写数据资源库的代码之一：{known}。", f"Name one of the repositories: {known}.")
        raise Refusal("invalid_field", where, pointer="/attested")


def _require_size(rulebook: Rulebook, platform: Platform, content: dict[str, Any]) -> None:
    limit = rulebook.release.procedure("backup-creation").limits.form_bytes_max
    if platform.forms.size(content) > limit:
        raise Refusal("too_large", limit=limit)


def _step_saved(
    platform: Platform,
    change: Asked,
    declared: Step,
    rulebook: Rulebook,
    recorded: contract.StepRecorded,
    spoken: Language,
) -> http.StepSavedView:
    answer = recorded.saved
    with reading(platform.engine) as reader:
        assessed = assess_content(reader, rulebook, platform.forms, declared, change.id, answer.awaiting)
        return http.StepSavedView(
            operation_id=change.id,
            backup_id=change.case_id,
            step=answer.step,
            revision=answer.revision,
            saved_at=answer.saved_at,
            expires_at=answer.expires_at,
            findings=views.counts(assessed.counts),
            remarks=views.findings(rulebook.release, declared.id, assessed.findings, spoken),
            manifest=views.manifest(assessed.manifest) if assessed.manifest else None,
            waiting_for=_waiting(reader, rulebook, change.case_id, spoken),
        )


def _submission(
    platform: Platform, change: Asked, sealed: contract.Sealed, spoken: Language
) -> http.SubmissionView:
    assert sealed.verdict is not None  # noqa: S101  (only verdicts are kept)
    with reading(platform.engine) as reader:
        rulebook = platform.rulebooks.by_digest(reader, sealed.release)
        return http.SubmissionView(
            operation_id=change.id,
            verdict="accepted" if sealed.verdict.accepted else "rejected",
            number=sealed.verdict.number,
            judged_by=views.release_ref(rulebook.release),
            errors=sealed.verdict.errors,
            waiting_for=_waiting(reader, rulebook, change.case_id, spoken),
        )


def _waiting(reader: Reader, rulebook: Rulebook, backup_id: UUID, spoken: Language) -> list[http.WaitingFor]:
    return views.waiting_for(reader, rulebook.release, reader.get_one(Backup, backup_id), spoken)


def _summary(platform: Platform, backup_id: UUID) -> http.BackupSummary:
    with reading(platform.engine) as reader:
        return views.backup_summary(reader.get_one(Backup, backup_id))
