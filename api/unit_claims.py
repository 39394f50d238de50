"""Claims by a unit: its administrator names an old colleague, and who is to hold the backups from now on."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from fastapi import APIRouter, Request, Response
from sqlalchemy.dialects.postgresql import insert
from starlette.concurrency import run_in_threadpool

from api import claim_requests, claim_views
from api.auth import Identity
from api.bodies import StrictRoute
from api.changes import Key, asked
from api.claim_requests import Administrator, answered_alike
from api.commands import RETRY_AFTER
from api.language import LanguageDep
from api.pages import DEFAULT_SIZE, Keyset, NewestFirst, PageSize, PageToken
from api.platform import Platform, PlatformDep
from rules.engine.persons import normalise_name
from schemas.contracts import claims as contract
from schemas.errors import Refusal
from schemas.http import claims as http
from schemas.http.backups import Pagination
from schemas.tables.claims import ClaimReversal, UnitClaim
from schemas.texts import Language
from store import claims
from store.database import reading
from workflows.unit_claim import UnitClaim as Workflow

router = APIRouter(prefix="/v1", tags=["unit claim"], route_class=StrictRoute)

CLAIMS: Keyset[NewestFirst] = Keyset("unit claims", NewestFirst)
ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {"model": http.UnitClaimView, "description": "Accepted, not done yet: read the claim again"}
}


@router.post(
    "/unit-member-searches", operation_id="searchUnitMembers", summary="查找本单位人员 / Find people"
)
def search_members(body: http.NewMemberSearch, who: Administrator, platform: PlatformDep) -> http.MembersView:
    """The unit's authorised people of one name, told apart by masked phone.

    A POST because a name belongs into no address; it changes nothing, so it takes no Idempotency-Key.
    """
    matching = claim_requests.policy(platform).matching
    name_index = platform.cipher.blind_index("name", normalise_name(body.name, matching))
    with reading(platform.engine) as reader:
        rows = claims.members(reader, who.unit_code, name_index)
        return http.MembersView(members=[claim_views.member(platform.cipher, row) for row in rows])


@router.post(
    "/unit-claims",
    status_code=201,
    operation_id="createUnitClaim",
    summary="单位认领 / Claim for the unit",
    responses=ACCEPTED,
)
async def create_unit_claim(
    body: http.NewUnitClaim,
    key: Key,
    request: Request,
    who: Administrator,
    platform: PlatformDep,
    spoken: LanguageDep,
    response: Response,
) -> http.UnitClaimView:
    """Check an old colleague's name and phone against what is on record of the unit, and name a delegate."""
    rules = await run_in_threadpool(claim_requests.policy, platform)
    typed = claim_requests.typed(platform, rules.matching, body.name, body.phone, request)
    claim_id = uuid5(who.account_id, f"unit claim {key}")
    said = {"person": typed.person_index.hex(), "delegate": str(body.delegate_account_id)}
    change = asked(platform, who.account_id, claim_id, "unit_claim", str(key), said)
    await run_in_threadpool(_require_member, platform, who, body.delegate_account_id)
    row = {
        "id": claim_id,
        "account_id": who.account_id,
        "unit_code": who.unit_code,
        "delegate_id": body.delegate_account_id,
        "created_at": datetime.now(UTC),
        **typed._asdict(),
    }
    stored = insert(UnitClaim).values(UnitClaim(**row).model_dump()).on_conflict_do_nothing()
    command = contract.ClaimCommand(operation_id=change.id)
    done = await claim_requests.changed(
        platform,
        change,
        lambda: claim_requests.begin(platform, Workflow, claim_id, who.unit_code, rules, command),
        response,
        lambda writer: writer.execute(stored),
    )
    response.headers["Location"] = f"/v1/unit-claims/{claim_id}"
    return await _shown(platform, who, claim_id, spoken, response, done)


@router.post(
    "/unit-claims/{claim_id}/code-attempts",
    operation_id="tryUnitClaimCode",
    summary="填写验证码 / Try a code",
    responses=ACCEPTED,
)
async def try_code(
    claim_id: UUID,
    body: http.NewCodeAttempt,
    key: Key,
    who: Administrator,
    platform: PlatformDep,
    spoken: LanguageDep,
    response: Response,
) -> http.UnitClaimView:
    """Prove that it is you, with the code that was sent to your own phone."""
    rules = await run_in_threadpool(claim_requests.policy, platform)
    code = claim_requests.typed_code(body.code, rules.code)
    async with answered_alike():
        try:
            row = await run_in_threadpool(_of_unit, platform, who, claim_id)
        except Refusal:
            raise Refusal("code_not_accepted") from None
        if row.account_id != who.account_id:
            raise Refusal("code_not_accepted")
        digest = await run_in_threadpool(claim_requests.code_digest, platform, claim_id, code)
        change = asked(platform, who.account_id, claim_id, "try_code", str(key), code)
        command = contract.CodeAttempt(operation_id=change.id, digest=digest)
        send = _asking(platform, claim_id, Workflow.try_code, command, "code_not_accepted")
        answer = await claim_requests.changed(
            platform, change, send, response, unfinished=_moving(platform, who, claim_id)
        )
        if answer is not None and not contract.CodeTried.model_validate(answer).accepted:
            raise Refusal("code_not_accepted")
    return await _shown(platform, who, claim_id, spoken, response, answer)


@router.post(
    "/unit-claims/{claim_id}/approvals",
    operation_id="decideUnitClaim",
    summary="复核单位认领 / Decide on a unit's claim",
    responses=ACCEPTED,
)
async def approve(
    claim_id: UUID,
    body: http.NewDecision,
    key: Key,
    who: Administrator,
    platform: PlatformDep,
    spoken: LanguageDep,
    response: Response,
) -> http.UnitClaimView:
    """Approve a large claim of another administrator of the unit, or decline it."""
    row = await run_in_threadpool(_of_unit, platform, who, claim_id)
    if row.account_id == who.account_id:
        raise Refusal("not_allowed")
    change = asked(platform, who.account_id, claim_id, "approve_unit_claim", str(key), body.decision)
    command = contract.Decision(
        operation_id=change.id, account_id=who.account_id, agreed=body.decision == "agree"
    )
    send = _asking(platform, claim_id, Workflow.approve, command)
    answer = await claim_requests.changed(
        platform, change, send, response, unfinished=_moving(platform, who, claim_id)
    )
    return await _shown(platform, who, claim_id, spoken, response, answer)


@router.post(
    "/unit-claims/{claim_id}/reversals",
    operation_id="reverseUnitClaim",
    summary="撤销单位认领 / Undo a unit's claim",
    responses=ACCEPTED,
)
async def reverse(
    claim_id: UUID,
    body: http.NewReversal,
    key: Key,
    who: Administrator,
    platform: PlatformDep,
    spoken: LanguageDep,
    response: Response,
) -> http.UnitClaimView:
    """Take the move back: all of it, or nothing where some backups have gone on to others."""
    await run_in_threadpool(_of_unit, platform, who, claim_id)
    change = asked(platform, who.account_id, claim_id, "reverse_unit_claim", str(key), body.reason)
    command = contract.Reversal(operation_id=change.id, account_id=who.account_id)
    reason = platform.cipher.encrypt(body.reason, "claim_reversal", "reason", change.id)
    row = {"id": change.id, "account_id": who.account_id, "reason": reason, "stored_at": datetime.now(UTC)}
    stored = insert(ClaimReversal).values(row).on_conflict_do_nothing()
    send = _asking(platform, claim_id, Workflow.reverse, command)
    answer = await claim_requests.changed(
        platform, change, send, response, lambda writer: writer.execute(stored)
    )
    if answer is not None and contract.ClaimStands.model_validate(answer).went_on:
        raise Refusal("moved_on")
    return await _shown(platform, who, claim_id, spoken, response, answer)


@router.get("/unit-claims", operation_id="listUnitClaims", summary="单位认领列表 / Claims by the unit")
def list_unit_claims(
    who: Administrator,
    platform: PlatformDep,
    spoken: LanguageDep,
    page_size: PageSize = DEFAULT_SIZE,
    page_token: PageToken = None,
) -> http.UnitClaimPage:
    """The unit's claims, newest first."""
    with reading(platform.engine) as reader:
        rows = claims.unit_claims(reader, who.unit_code, CLAIMS.after(page_token), page_size + 1)
    page, token = CLAIMS.page(rows, page_size, lambda row: NewestFirst(row.created_at, row.id))
    shown = [claim_views.unit_claim(row, spoken) for row in page]
    return http.UnitClaimPage(claims=shown, pagination=Pagination(next_page_token=token))


@router.get("/unit-claims/{claim_id}", operation_id="getUnitClaim", summary="单位认领详情 / A unit's claim")
def get_unit_claim(
    claim_id: UUID, who: Administrator, platform: PlatformDep, spoken: LanguageDep
) -> http.UnitClaimView:
    """Where a claim by the unit stands."""
    return claim_views.unit_claim(_of_unit(platform, who, claim_id), spoken)


def _asking(
    platform: Platform,
    claim_id: UUID,
    update: Any,
    command: contract.ClaimCommand,
    over: str = "claim_closed",
) -> Callable[[], Awaitable[None]]:
    return lambda: claim_requests.ask(platform, Workflow, claim_id, update, command, over)


async def _shown(
    platform: Platform,
    who: Identity,
    claim_id: UUID,
    spoken: Language,
    response: Response,
    answer: dict[str, Any] | None,
) -> http.UnitClaimView:
    if answer is None:
        response.status_code = 202
        response.headers["Location"] = f"/v1/unit-claims/{claim_id}"
        response.headers["Retry-After"] = str(RETRY_AFTER)
    row = await run_in_threadpool(_of_unit, platform, who, claim_id)
    return claim_views.unit_claim(row, spoken)


def _moving(platform: Platform, who: Identity, claim_id: UUID) -> Callable[[], bool]:
    return lambda: _of_unit(platform, who, claim_id).state == "moving"


def _of_unit(platform: Platform, who: Identity, claim_id: UUID) -> UnitClaim:
    with reading(platform.engine) as reader:
        return claims.unit_claim(reader, who.unit_code, claim_id)


def _require_member(platform: Platform, who: Identity, account_id: UUID) -> None:
    """Refuse a delegate from elsewhere before anything is stored; the workflow's transaction checks again."""
    with reading(platform.engine) as reader:
        if not claims.is_member(reader, who.unit_code, account_id):
            raise Refusal("delegate_not_a_member", pointer="/delegate_account_id")
