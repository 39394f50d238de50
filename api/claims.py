"""Claims of legacy backups by a person: who they were, the code that proves it, and what came of it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from fastapi import APIRouter, Request, Response
from sqlalchemy.dialects.postgresql import insert
from starlette.concurrency import run_in_threadpool

from api import claim_requests, claim_views
from api.accounts import Member
from api.bodies import StrictRoute
from api.changes import Key, asked
from api.claim_requests import Administrator, answered_alike
from api.commands import RETRY_AFTER
from api.language import LanguageDep
from api.pages import DEFAULT_SIZE, Keyset, NewestFirst, PageSize, PageToken
from api.platform import Platform, PlatformDep
from rules.engine.procedures import ClaimingProcedure
from schemas.contracts import claims as contract
from schemas.errors import Refusal
from schemas.http import claims as http
from schemas.http.backups import Pagination
from schemas.tables.claims import Claim
from schemas.texts import Language
from store import claims
from store.database import reading
from workflows.claim import Claim as Workflow

router = APIRouter(prefix="/v1", tags=["claim"], route_class=StrictRoute)

CLAIMS: Keyset[NewestFirst] = Keyset("claims", NewestFirst)
CONFIRMATIONS: Keyset[NewestFirst] = Keyset("unit confirmations", NewestFirst)
"""By the time they were asked for, the oldest first."""


@router.post("/claims", status_code=202, operation_id="createClaim", summary="认领原备份 / Claim old backups")
async def create_claim(
    body: http.NewClaim,
    key: Key,
    request: Request,
    who: Member,
    platform: PlatformDep,
    spoken: LanguageDep,
    response: Response,
) -> http.ClaimOpened:
    """Say who you were on the old platform. The answer is the same whether or not there is such a record."""
    rules = await run_in_threadpool(claim_requests.policy, platform)
    typed = claim_requests.typed(platform, rules.matching, body.name, body.phone, request)
    claim_id = uuid5(who.account_id, f"claim {key}")
    change = asked(platform, who.account_id, claim_id, "claim", str(key), typed.person_index.hex())
    row = {
        "id": claim_id,
        "account_id": who.account_id,
        "unit_code": who.unit_code,
        "created_at": datetime.now(UTC),
        **typed._asdict(),
    }
    stored = insert(Claim).values(Claim(**row).model_dump()).on_conflict_do_nothing()
    command = contract.ClaimCommand(operation_id=change.id)
    await claim_requests.changed(
        platform,
        change,
        lambda: claim_requests.begin(platform, Workflow, claim_id, who.unit_code, rules, command),
        response,
        lambda writer: writer.execute(stored),
    )
    response.headers["Location"] = f"/v1/claims/{claim_id}"
    return _opened(claim_id, rules, spoken)


@router.post(
    "/claims/{claim_id}/codes",
    status_code=202,
    operation_id="resendClaimCode",
    summary="重新获取验证码 / Ask for another code",
)
async def resend_code(
    claim_id: UUID, key: Key, who: Member, platform: PlatformDep, spoken: LanguageDep, response: Response
) -> http.ClaimOpened:
    """Ask for another code; it is counted as the first was, and sent if there is such a record."""
    await run_in_threadpool(_own, platform, who.account_id, claim_id)
    change = asked(platform, who.account_id, claim_id, "ask_for_code", str(key), None)
    command = contract.ClaimCommand(operation_id=change.id)
    send = _asking(platform, claim_id, Workflow.resend, command)
    await claim_requests.changed(platform, change, send, response)
    return _opened(claim_id, await run_in_threadpool(claim_requests.policy, platform), spoken)


@router.post(
    "/claims/{claim_id}/code-attempts",
    operation_id="tryClaimCode",
    summary="填写验证码 / Try a code",
    responses={202: {"model": http.ClaimView, "description": "The backups are being moved"}},
)
async def try_code(
    claim_id: UUID,
    body: http.NewCodeAttempt,
    key: Key,
    who: Member,
    platform: PlatformDep,
    spoken: LanguageDep,
    response: Response,
) -> http.ClaimView:
    """Prove the claim. The right code moves the backups; any other gets one and the same answer."""
    rules = await run_in_threadpool(claim_requests.policy, platform)
    code = claim_requests.typed_code(body.code, rules.code)
    async with answered_alike():
        try:
            await run_in_threadpool(_own, platform, who.account_id, claim_id)
        except Refusal:
            raise Refusal("code_not_accepted") from None
        digest = await run_in_threadpool(claim_requests.code_digest, platform, claim_id, code)
        change = asked(platform, who.account_id, claim_id, "try_code", str(key), code)
        command = contract.CodeAttempt(operation_id=change.id, digest=digest)
        send = _asking(platform, claim_id, Workflow.try_code, command, "code_not_accepted")
        answer = await claim_requests.changed(
            platform,
            change,
            send,
            response,
            unfinished=lambda: _own(platform, who.account_id, claim_id).state == "moving",
        )
        if answer is not None and not contract.CodeTried.model_validate(answer).accepted:
            raise Refusal("code_not_accepted")
    return await _shown(platform, who.account_id, claim_id, spoken, response, done=answer is not None)


@router.get("/claims", operation_id="listClaims", summary="我的认领 / My claims")
def list_claims(
    who: Member,
    platform: PlatformDep,
    spoken: LanguageDep,
    page_size: PageSize = DEFAULT_SIZE,
    page_token: PageToken = None,
) -> http.ClaimPage:
    """One's claims, newest first."""
    with reading(platform.engine) as reader:
        rows = claims.own_claims(reader, who.account_id, CLAIMS.after(page_token), page_size + 1)
        page, token = CLAIMS.page(rows, page_size, lambda row: NewestFirst(row.created_at, row.id))
        shown = [claim_views.claim(reader, row, spoken) for row in page]
    return http.ClaimPage(claims=shown, pagination=Pagination(next_page_token=token))


@router.get("/claims/{claim_id}", operation_id="getClaim", summary="认领详情 / One claim")
def get_claim(claim_id: UUID, who: Member, platform: PlatformDep, spoken: LanguageDep) -> http.ClaimView:
    """Where a claim stands; what it found is shown only after the right code."""
    return _view(platform, who.account_id, claim_id, spoken)


@router.get(
    "/unit-confirmations", operation_id="listUnitConfirmations", summary="待单位确认 / Claims to decide"
)
def list_unit_confirmations(
    who: Administrator,
    platform: PlatformDep,
    page_size: PageSize = DEFAULT_SIZE,
    page_token: PageToken = None,
) -> http.UnitConfirmationPage:
    """Proven claims by people of other units on what is on record of this one, the oldest first."""
    after = CONFIRMATIONS.after(page_token)
    with reading(platform.engine) as reader:
        rows = claims.asked_confirmations(reader, who.unit_code, after, page_size + 1)
        page, token = CONFIRMATIONS.page(
            rows, page_size, lambda row: NewestFirst(row[0].asked_at, row[0].claim_id)
        )
        shown = [claim_views.unit_confirmation(reader, platform.cipher, *row) for row in page]
    return http.UnitConfirmationPage(confirmations=shown, pagination=Pagination(next_page_token=token))


@router.post(
    "/claims/{claim_id}/confirmations",
    status_code=204,
    operation_id="decideClaim",
    summary="单位确认 / Decide on a claim",
    responses={202: {"description": "Accepted, not done yet: the list of claims to decide tells"}},
)
async def decide(
    claim_id: UUID,
    body: http.NewDecision,
    key: Key,
    who: Administrator,
    platform: PlatformDep,
    response: Response,
) -> None:
    """Agree that backups on record of the own unit go to the claimant, or decline."""
    await run_in_threadpool(_asked_of, platform, who.unit_code, claim_id)
    change = asked(platform, who.account_id, claim_id, "decide_claim", str(key), body.decision)
    command = contract.Decision(
        operation_id=change.id, account_id=who.account_id, agreed=body.decision == "agree"
    )
    send = _asking(platform, claim_id, Workflow.decide, command)
    if await claim_requests.changed(platform, change, send, response) is None:
        response.status_code = 202


def _asking(
    platform: Platform,
    claim_id: UUID,
    update: Any,
    command: contract.ClaimCommand,
    over: str = "claim_closed",
) -> Callable[[], Awaitable[None]]:
    return lambda: claim_requests.ask(platform, Workflow, claim_id, update, command, over)


async def _shown(
    platform: Platform, account_id: UUID, claim_id: UUID, spoken: Language, response: Response, *, done: bool
) -> http.ClaimView:
    if not done:
        response.status_code = 202
        response.headers["Location"] = f"/v1/claims/{claim_id}"
        response.headers["Retry-After"] = str(RETRY_AFTER)
    return await run_in_threadpool(_view, platform, account_id, claim_id, spoken)


def _opened(claim_id: UUID, rules: ClaimingProcedure, spoken: Language) -> http.ClaimOpened:
    return http.ClaimOpened(
        id=claim_id,
        next=f"/v1/claims/{claim_id}/code-attempts",
        message=claim_views.say(claim_views.OPENED, spoken),
        code_valid_for=int(rules.code.valid_for.total_seconds()),
        resend_after=int(rules.code.resend_after.total_seconds()),
    )


def _own(platform: Platform, account_id: UUID, claim_id: UUID) -> Claim:
    with reading(platform.engine) as reader:
        return claims.own_claim(reader, account_id, claim_id)


def _asked_of(platform: Platform, unit_code: str, claim_id: UUID) -> None:
    with reading(platform.engine) as reader:
        claims.asked_of(reader, unit_code, claim_id)


def _view(platform: Platform, account_id: UUID, claim_id: UUID, spoken: Language) -> http.ClaimView:
    with reading(platform.engine) as reader:
        return claim_views.claim(reader, claims.own_claim(reader, account_id, claim_id), spoken)
