"""The audit trail over HTTP: for auditors (审计员), who read everything that was done and change nothing."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from api.auth import Identity, IdentityDep
from api.bodies import StrictRoute
from api.pages import DEFAULT_SIZE, BigInteger, Keyset, PageSize, PageToken
from api.platform import PlatformDep
from audit.records import moment
from schemas.errors import Refusal
from schemas.http import audit as http
from schemas.http.backups import Pagination
from schemas.http.unit_views import Moment
from store import trail
from store.database import reading
from store.sealing import record

_APART = frozenset({"operator", "policy"})
"""Roles that none may hold together with the auditor's: who judges acts does not act."""


async def auditor(who: IdentityDep) -> Identity:
    """Dependency: an auditor, who is neither operator nor policy maker (三员分立).

    Raises:
        Refusal: ``not_allowed``.
    """
    if "auditor" not in who.roles or who.roles & _APART:
        raise Refusal("not_allowed")
    return who


router = APIRouter(
    prefix="/v1/audit", tags=["audit"], route_class=StrictRoute, dependencies=[Depends(auditor)]
)

EVENTS: Keyset[int] = Keyset("audit events", BigInteger)
HEADS: Keyset[int] = Keyset("tree heads", BigInteger)


@router.get("/events", operation_id="listAuditEvents", summary="审计事件 / Audited events")
def list_audit_events(
    platform: PlatformDep,
    case_id: Annotated[UUID | None, Query(description="只列此事项 / Only of this case")] = None,
    actor_id: Annotated[UUID | None, Query(description="只列此账号 / Only by this account")] = None,
    act: Annotated[
        str | None, Query(pattern="^[a-z_]{1,64}$", description="只列此行为 / Only this act")
    ] = None,
    at_from: Annotated[Moment | None, Query(description="此时或之后 / Then or later")] = None,
    at_before: Annotated[Moment | None, Query(description="此时之前 / Before")] = None,
    page_size: PageSize = DEFAULT_SIZE,
    page_token: PageToken = None,
) -> http.AuditEventPage:
    """What was done, newest first. No person is in it: accounts stand with their id."""
    filters = trail.Filters(case_id, actor_id, act, at_from, at_before)
    with reading(platform.engine) as reader:
        rows = trail.events(reader, filters, EVENTS.after(page_token), page_size + 1)
    page, token = EVENTS.page(rows, page_size, lambda row: row.id)
    return http.AuditEventPage(
        events=[
            http.AuditEventView(event=http.AuditRecord.model_validate(record(row)), seq=row.seq)
            for row in page
        ],
        pagination=Pagination(next_page_token=token),
    )


@router.get("/heads", operation_id="listTreeHeads", summary="签名树头 / Signed tree heads")
def list_tree_heads(
    platform: PlatformDep, page_size: PageSize = DEFAULT_SIZE, page_token: PageToken = None
) -> http.TreeHeadPage:
    """Signed tree heads, newest first. Keep them elsewhere: they show if the trail was rewritten since."""
    with reading(platform.engine) as reader:
        rows = trail.heads(reader, HEADS.after(page_token), page_size + 1)
    page, token = HEADS.page(rows, page_size, lambda row: row.size)
    return http.TreeHeadPage(
        heads=[
            http.TreeHeadView(
                size=head.size, root=head.root.hex(), signed_at=moment(head.signed_at), jws=head.signed
            )
            for head in page
        ],
        pagination=Pagination(next_page_token=token),
    )


@router.get("/proofs/{event_id}", operation_id="proveAuditEvent", summary="事件在记录中的证明 / Proof")
def prove_audit_event(event_id: BigInteger, platform: PlatformDep) -> http.InclusionProof:
    """That an event is in the trail, to the first signed head over it.

    It is not found as long as no head covers it: one is signed every hour.
    """
    with reading(platform.engine) as reader:
        proof = trail.prove(reader, event_id)
    if proof is None:
        raise Refusal("not_found")
    return proof
