"""Backups that have a number: their delegates withdraw them, or correct them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from api import commands, views
from api.accounts import Member, viewer
from api.auth import Identity
from api.bodies import StrictRoute
from api.changes import Key, asked, new_backup_id
from api.drafts import ACCEPTED, changed, still_running
from api.platform import Platform, PlatformDep
from schemas.contracts.amendments import Correct, WithdrawNumber
from schemas.contracts.backups import OpenBackup
from schemas.http import amendments as http
from schemas.http.backups import OperationView, ReleaseRef
from schemas.stages import short
from schemas.tables.amendments import Amendment, AmendmentKind
from schemas.tables.backups import Backup
from store import amendments, queries
from store.database import Reader, reading
from store.operations import Asked
from workflows.backup_creation import BackupCreation
from workflows.number_withdrawal import NumberWithdrawal

router = APIRouter(prefix="/v1/backups", tags=["numbered backup"], route_class=StrictRoute)


@router.post(
    "/{backup_id}/number-withdrawal",
    operation_id="withdrawNumber",
    summary="撤回已编号备份 / Withdraw a numbered backup",
    responses=ACCEPTED,
)
async def withdraw_number(
    backup_id: UUID, body: http.NewAmendment, key: Key, who: Member, platform: PlatformDep, response: Response
) -> http.NumberWithdrawalView | OperationView:
    """Withdraw a numbered backup for good; refused once a prior report has used it. It keeps its number."""
    backup = await run_in_threadpool(_own, platform, who, backup_id)
    change = asked(platform, who.account_id, backup_id, "withdraw_number", str(key), body.reason)
    command = WithdrawNumber(operation_id=change.id, backup_id=backup_id, account_id=who.account_id)
    row = _asked_for(platform, "withdrawal", change, backup_id, body.reason)
    answer = await changed(
        platform,
        change,
        lambda: commands.run_to_its_end(
            platform.temporal,
            platform.task_queue,
            NumberWithdrawal.run,
            command,
            f"number-withdrawal-{change.id}",
            f"撤回已编号备份 · 备份 {short(backup_id)}",
            amendments.number_of(backup),
        ),
        response,
        lambda writer: amendments.store(writer, row),
    )
    if answer is None:
        return await run_in_threadpool(still_running, platform, change, response)
    return await run_in_threadpool(_withdrawn, platform, backup_id)


@router.post(
    "/{backup_id}/corrections",
    status_code=201,
    operation_id="openCorrection",
    summary="更正已编号备份 / Correct a numbered backup",
    responses=ACCEPTED,
)
async def open_correction(
    backup_id: UUID, body: http.NewAmendment, key: Key, who: Member, platform: PlatformDep, response: Response
) -> http.CorrectionView | OperationView:
    """Open a draft with the contents of a numbered backup; submitted and accepted, it is its next version."""
    await run_in_threadpool(_own, platform, who, backup_id)
    draft_id = new_backup_id(who.account_id, key)
    said = {"backup_id": str(backup_id), "reason": body.reason}
    change = asked(platform, who.account_id, draft_id, "open_correction", str(key), said)
    opening = await run_in_threadpool(_opening, platform, who, draft_id)
    command = Correct(corrects_id=backup_id, account_id=who.account_id)
    row = _asked_for(platform, "correction", change, backup_id, body.reason, draft_id)
    answer = await changed(
        platform,
        change,
        lambda: commands.open_backup(
            platform.temporal,
            platform.task_queue,
            opening,
            BackupCreation.correct,
            command,
            change.update_id,
        ),
        response,
        lambda writer: amendments.store(writer, row),
    )
    if answer is None:
        return await run_in_threadpool(still_running, platform, change, response)
    response.headers["Location"] = f"/v1/backups/{draft_id}"
    return await run_in_threadpool(_correction, platform, draft_id)


@router.get(
    "/{backup_id}/versions", operation_id="listVersions", summary="备份的各版本 / Versions of a backup"
)
def list_versions(backup_id: UUID, who: Member, platform: PlatformDep) -> http.VersionsView:
    """All versions of a numbered backup, the latest first, and why there are others; and its withdrawal."""
    with reading(platform.engine) as reader:
        backup = queries.backup(reader, viewer(who), backup_id)
        amendments.number_of(backup)
        done = amendments.of_backup(reader, backup.id)
        withdrawal = next((each for each in done if each.kind == "withdrawal"), None)
        return http.VersionsView(
            versions=_versions(reader, platform, backup, done),
            withdrawal=_withdrawal(platform, backup, withdrawal) if withdrawal else None,
        )


def _own(platform: Platform, who: Identity, backup_id: UUID) -> Backup:
    """The caller's own backup, which has a number."""
    with reading(platform.engine) as reader:
        backup = queries.own_backup(reader, viewer(who), backup_id)
    amendments.number_of(backup)
    return backup


def _opening(platform: Platform, who: Identity, draft_id: UUID) -> OpenBackup:
    with reading(platform.engine) as reader:
        release = platform.rulebooks.in_force(reader, datetime.now(UTC)).release
    return OpenBackup(
        backup_id=draft_id,
        creator_id=who.account_id,
        unit_code=who.unit_code,
        release=release.version,
        due_at=release.procedure("backup-creation").first_due(datetime.now(UTC)),
    )


def _asked_for(
    platform: Platform,
    kind: AmendmentKind,
    change: Asked,
    backup_id: UUID,
    reason: str,
    draft_id: UUID | None = None,
) -> Amendment:
    return Amendment(
        id=change.id,
        kind=kind,
        backup_id=backup_id,
        draft_id=draft_id,
        account_id=change.account_id,
        reason=amendments.sealed_reason(platform.cipher, change.id, reason),
        stored_at=datetime.now(UTC),
    )


def _withdrawn(platform: Platform, backup_id: UUID) -> http.NumberWithdrawalView:
    with reading(platform.engine) as reader:
        backup = reader.get_one(Backup, backup_id)
        done = amendments.of_backup(reader, backup_id)
        return _withdrawal(platform, backup, next(each for each in done if each.kind == "withdrawal"))


def _withdrawal(platform: Platform, backup: Backup, row: Amendment) -> http.NumberWithdrawalView:
    return http.NumberWithdrawalView(
        backup_id=backup.id,
        number=backup.number or "",
        withdrawn_at=_done_at(row),
        reason=amendments.reason(platform.cipher, row),
    )


def _done_at(row: Amendment) -> datetime:
    assert row.done_at is not None  # noqa: S101  (of_backup gives no others)
    return row.done_at


def _correction(platform: Platform, draft_id: UUID) -> http.CorrectionView:
    with reading(platform.engine) as reader:
        draft = reader.get_one(Backup, draft_id)
        said = {"backup_id": draft.id, "corrects_id": draft.corrects_id, "expires_at": draft.expires_at}
        return http.CorrectionView.model_validate(said)


def _versions(
    reader: Reader, platform: Platform, backup: Backup, done: Sequence[Amendment]
) -> list[http.VersionView]:
    """Each correction has made one version, and left the one before in the row of its draft."""
    corrections = [each for each in done if each.kind == "correction"]
    holders = [backup, *(reader.get_one(Backup, each.draft_id) for each in corrections)]
    first = (backup.closed_at or backup.created_at, None)
    made = [*((_done_at(each), amendments.reason(platform.cipher, each)) for each in corrections), first]
    return [
        http.VersionView(
            version=holder.version,
            backup_id=holder.id,
            sealed_at=sealed_at,
            release=_release(reader, platform, holder),
            reason=reason,
        )
        for holder, (sealed_at, reason) in zip(holders, made, strict=True)
    ]


def _release(reader: Reader, platform: Platform, holder: Backup) -> ReleaseRef | None:
    if holder.release_digest is None:
        return None
    return views.release_ref(platform.rulebooks.by_digest(reader, holder.release_digest).release)
