"""Handovers (移交): an administrator gives all backups of one delegate to another person of the unit."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from api import delegation_views, handover_requests
from api.accounts import Member, viewer
from api.auth import Identity
from api.bodies import StrictRoute
from api.changes import Key, asked
from api.claim_requests import Administrator
from api.language import LanguageDep
from api.pages import DEFAULT_SIZE, Keyset, NewestFirst, PageSize, PageToken
from api.platform import Platform, PlatformDep
from api.problems import BackupsChanged, BackupsChangedProblem
from schemas.errors import Refusal
from schemas.http import delegation as http
from schemas.http.backups import Pagination
from schemas.http.claims import NewDecision
from schemas.tables.delegation import Handover
from schemas.texts import Language
from store import handover_previews, handovers, queries
from store.database import reading, writing
from store.handovers import Holding
from store.operations import Asked

router = APIRouter(prefix="/v1", tags=["handover"], route_class=StrictRoute)

HANDOVERS: Keyset[NewestFirst] = Keyset("handovers", NewestFirst)
ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {"model": http.HandoverView, "description": "Accepted, not done yet: read the handover again"}
}
CHANGED: dict[int | str, dict[str, Any]] = {
    409: {
        "model": BackupsChangedProblem,
        "description": "The backups are no longer those that were shown; with the preview as it is now",
    }
}


@router.post("/handovers/previews", operation_id="previewHandover", summary="移交预览 / Preview a handover")
def preview(
    body: http.NewPreview, who: Administrator, platform: PlatformDep, spoken: LanguageDep
) -> http.PreviewView:
    """Which backups would move, which would not, who would have to agree, and a digest to confirm.

    It moves nothing, so it takes no Idempotency-Key.
    """
    return _shown(platform, who, body, spoken)


@router.post(
    "/handovers",
    status_code=201,
    operation_id="createHandover",
    summary="移交备份 / Hand backups over",
    responses={**ACCEPTED, **CHANGED},
)
async def create_handover(
    body: http.NewHandover,
    key: Key,
    who: Administrator,
    platform: PlatformDep,
    spoken: LanguageDep,
    response: Response,
) -> http.HandoverView:
    """Hand all backups over that the preview with this digest showed: all of them, or none."""
    said = {"from": str(body.from_), "to": str(body.to), "digest": body.digest}
    row = Handover(
        id=uuid5(who.account_id, f"handover {key}"),
        account_id=who.account_id,
        unit_code=who.unit_code,
        from_id=body.from_,
        to_id=body.to,
        digest=body.digest,
        created_at=datetime.now(UTC),
    )
    change = asked(platform, who.account_id, row.id, "handover", str(key), said)
    if not await run_in_threadpool(_was_asked, platform, change):
        await run_in_threadpool(_preview, platform, who, body, spoken)
    view = await handover_requests.begun(platform, who, change, row, spoken, response)
    if view.state == "changed":
        raise await run_in_threadpool(_changed, platform, who, body, spoken)
    return view


@router.post(
    "/handovers/{handover_id}/reversals",
    status_code=201,
    operation_id="undoHandover",
    summary="撤销移交 / Undo a handover",
    responses=ACCEPTED,
)
async def undo(
    handover_id: UUID,
    key: Key,
    who: Administrator,
    platform: PlatformDep,
    spoken: LanguageDep,
    response: Response,
) -> http.HandoverView:
    """Hand back what is still where this handover put it. What has gone on to others stays; it is counted."""
    undone = await run_in_threadpool(handover_requests.found, platform, who, handover_id)
    if undone.unit_code != who.unit_code:
        raise Refusal("not_allowed")
    row = Handover(
        id=uuid5(who.account_id, f"undoing {key}"),
        account_id=who.account_id,
        unit_code=who.unit_code,
        from_id=undone.to_id,
        to_id=undone.from_id,
        undoes=undone.id,
        created_at=datetime.now(UTC),
    )
    change = asked(platform, who.account_id, row.id, "handover", str(key), str(undone.id))
    return await handover_requests.begun(platform, who, change, row, spoken, response)


@router.post(
    "/handovers/{handover_id}/approvals",
    operation_id="approveHandover",
    summary="复核移交 / Decide on a handover",
    responses=ACCEPTED,
)
async def approve(
    handover_id: UUID,
    body: NewDecision,
    key: Key,
    who: Administrator,
    platform: PlatformDep,
    spoken: LanguageDep,
    response: Response,
) -> http.HandoverView:
    """Approve a large handover of another administrator of the unit; or decline any that waits."""
    row = await run_in_threadpool(handover_requests.found, platform, who, handover_id)
    agreed = body.decision == "agree"
    if row.unit_code != who.unit_code or (agreed and row.account_id == who.account_id):
        raise Refusal("not_allowed")
    return await handover_requests.decided(platform, who, row, "approval", agreed, key, spoken, response)


@router.post(
    "/handovers/{handover_id}/acceptances",
    operation_id="acceptHandover",
    summary="接受移交 / Accept a handover",
    responses=ACCEPTED,
)
async def accept(
    handover_id: UUID,
    body: NewDecision,
    key: Key,
    who: Member,
    platform: PlatformDep,
    spoken: LanguageDep,
    response: Response,
) -> http.HandoverView:
    """Accept the backups that are to be handed over to you, or decline."""
    row = await run_in_threadpool(handover_requests.found, platform, who, handover_id)
    if row.to_id != who.account_id:
        raise Refusal("not_allowed")
    agreed = body.decision == "agree"
    return await handover_requests.decided(platform, who, row, "acceptance", agreed, key, spoken, response)


@router.get("/handovers", operation_id="listHandovers", summary="移交列表 / Handovers")
def list_handovers(
    who: Member,
    platform: PlatformDep,
    spoken: LanguageDep,
    page_size: PageSize = DEFAULT_SIZE,
    page_token: PageToken = None,
) -> http.HandoverPage:
    """Handovers from you or to you, newest first; for a unit administrator, those of the unit."""
    after = HANDOVERS.after(page_token)
    with reading(platform.engine) as reader:
        rows = handovers.handovers(reader, viewer(who), after, page_size + 1)
        page, token = HANDOVERS.page(rows, page_size, lambda row: NewestFirst(row.created_at, row.id))
        shown = [delegation_views.handover(reader, row, spoken) for row in page]
    return http.HandoverPage(handovers=shown, pagination=Pagination(next_page_token=token))


@router.get("/handovers/{handover_id:uuid}", operation_id="getHandover", summary="移交详情 / A handover")
def get_handover(
    handover_id: UUID, who: Member, platform: PlatformDep, spoken: LanguageDep
) -> http.HandoverView:
    """Where a handover stands."""
    return handover_requests.view(platform, who, handover_id, spoken)


@router.get(
    "/backups/{backup_id}/delegations", operation_id="listDelegations", summary="委托记录 / Who held a backup"
)
def list_delegations(backup_id: UUID, who: Member, platform: PlatformDep) -> http.DelegationsView:
    """Who held a backup from when to when, the first one first."""
    with reading(platform.engine) as reader:
        queries.backup(reader, viewer(who), backup_id)
        found = handovers.history(reader, backup_id)
    cipher, unit = platform.cipher, who.unit_code
    return http.DelegationsView(
        delegations=[delegation_views.delegation(cipher, each, unit) for each in found]
    )


def _preview(platform: Platform, who: Identity, body: http.NewPreview, spoken: Language) -> http.PreviewView:
    holding = Holding(body.from_, who.unit_code)
    with reading(platform.engine) as reader:
        release = platform.rulebooks.in_force(reader, datetime.now(UTC)).release
        policy = release.procedure("delegation")
        return delegation_views.preview(reader, platform.cipher, policy, holding, body.to, spoken)


def _shown(platform: Platform, who: Identity, body: http.NewPreview, spoken: Language) -> http.PreviewView:
    """A preview, whose backups are remembered."""
    view = _preview(platform, who, body, spoken)
    with writing(platform.engine) as writer:
        handover_previews.remember(writer, Holding(body.from_, who.unit_code), datetime.now(UTC))
    return view


def _changed(platform: Platform, who: Identity, body: http.NewHandover, spoken: Language) -> BackupsChanged:
    with reading(platform.engine) as reader:
        found = handover_previews.difference(
            reader, Holding(body.from_, who.unit_code), body.digest, delegation_views.FIRST
        )
    current = _shown(platform, who, body, spoken)
    return BackupsChanged(current, found and delegation_views.difference(found))


def _was_asked(platform: Platform, change: Asked) -> bool:
    with reading(platform.engine) as reader:
        return queries.was_asked(reader, change.id)
