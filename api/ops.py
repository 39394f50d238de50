"""Operators over HTTP: what is stuck, where a case stands, and what is done about it."""

from datetime import UTC, datetime
from typing import Annotated, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, Field
from starlette.concurrency import run_in_threadpool

from api import operator_acts, operators
from api.bodies import StrictRoute
from api.changes import Key, Revision
from api.language import LanguageDep
from api.operators import Operator
from api.pages import DEFAULT_SIZE, Keyset, PageSize, PageToken
from api.platform import Platform, PlatformDep
from api.problems import etag
from schemas.errors import Refusal
from schemas.http import ops as http
from schemas.http.backups import Pagination
from schemas.stuck import CaseKind, Cause
from schemas.texts import Language
from store import cases, operator_actions, stuck
from store.cases import Case
from store.database import reading
from store.stuck import Filter
from wire import executions

router = APIRouter(prefix="/v1/ops", tags=["operators"], route_class=StrictRoute)

Id = Annotated[int, Field(ge=0, lt=1 << 63)]
Score = Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)]


class Place(NamedTuple):
    """Key of the list: all its pages count ages up to the same instant."""

    as_of: AwareDatetime
    score: Score
    id: Id


STUCK: Keyset[Place] = Keyset("stuck work", Place)
UnitCode = Annotated[
    str | None, Query(pattern="^[0-9A-HJ-NPQRTUWXY]{18}$", description="统一社会信用代码 / Unit code")
]


@router.get("/stuck", operation_id="listStuckWork", summary="滞留清单 / Stuck work")
def list_stuck(
    who: Operator,
    platform: PlatformDep,
    spoken: LanguageDep,
    cause: Annotated[Cause | None, Query(description="原因 / Cause")] = None,
    kind: Annotated[CaseKind | None, Query(description="类别 / Kind of case")] = None,
    unit: UnitCode = None,
    page_size: PageSize = DEFAULT_SIZE,
    page_token: PageToken = None,
) -> http.StuckPage:
    """What does not go on, why and since when, the worst first: age × people who wait."""
    place = STUCK.after(page_token)
    as_of = place.as_of if place else datetime.now(UTC)
    after = (place.score, place.id) if place else None
    wanted = Filter(cause, kind, unit)
    with reading(platform.engine) as reader:
        rows = stuck.page(reader, wanted, as_of, after, page_size + 1)
        total = stuck.count(reader, wanted)
    page, token = STUCK.page(rows, page_size, lambda row: Place(as_of, row.score, row.id))
    return http.StuckPage(
        stuck=[operators.stuck_view(row, spoken) for row in page],
        total=total,
        pagination=Pagination(next_page_token=token),
    )


@router.get("/cases/{case_id}", operation_id="getCase", summary="办理情况 / One case")
async def get_case(
    case_id: UUID, who: Operator, platform: PlatformDep, spoken: LanguageDep, response: Response
) -> http.CaseView:
    """Where a case stands, what it waits for, what operators did, and where it can be reset to."""
    case = await run_in_threadpool(_case, platform, case_id)
    view = await _view(platform, case, spoken)
    response.headers["ETag"] = etag(view.revision)
    return view


@router.post("/cases/{case_id}/actions", operation_id="actOnCase", summary="处理滞留事项 / Act on a case")
async def act_on_case(
    case_id: UUID,
    body: http.NewOperatorAction,
    key: Key,
    revision: Revision,
    who: Operator,
    platform: PlatformDep,
    spoken: LanguageDep,
    response: Response,
) -> http.CaseView:
    """Do one thing with a case, and say why; the answer shows how it stands then.

    ``If-Match`` is the ETag of the case as it was read: of two operators at once, the second is told.
    """
    case = await run_in_threadpool(operator_acts.found, platform, who, case_id, body)
    outcome = await operator_acts.carry_out(platform, who, case, body, key, revision)
    if outcome.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    view = await _view(platform, case, spoken)
    response.headers["ETag"] = etag(view.revision)
    return view


def _case(platform: Platform, case_id: UUID) -> Case:
    with reading(platform.engine) as reader:
        case = cases.find(reader, case_id)
    if case is None:
        raise Refusal("not_found")
    return case


async def _view(platform: Platform, case: Case, spoken: Language) -> http.CaseView:
    found = await operator_acts.asking(executions.describe(platform.temporal, case.workflow_id))
    points = []
    if found is not None and executions.lives(found):
        points = await operator_acts.asking(executions.reset_points(platform.temporal, case.workflow_id))
    return await run_in_threadpool(_shown, platform, case.case_id, found, points, spoken)


def _shown(
    platform: Platform,
    case_id: UUID,
    found: operator_acts.Described,
    points: list[executions.ResetPoint],
    spoken: Language,
) -> http.CaseView:
    with reading(platform.engine) as reader:
        case = cases.find(reader, case_id)
        acts = operator_actions.of_case(reader, case_id)
        noted = stuck.of_case(reader, case_id)
    if case is None:
        raise Refusal("not_found")
    return http.CaseView(
        case_id=case.case_id,
        case_kind=case.kind,
        workflow_id=case.workflow_id,
        unit_code=case.unit_code,
        state=case.state,
        workflow=operators.standing(found),
        blocked=found is not None and executions.is_blocked(found),
        due_at=case.due_at,
        closed_at=case.closed_at,
        failing_task=found.pending_workflow_task.attempt if found is not None else 0,
        pending=operators.pending(found),
        stuck=[operators.stuck_view(entry, spoken) for entry in noted],
        acts=[
            http.OperatorActionView(title=operators.title(act.action, spoken), **act._asdict())
            for act in acts
        ],
        reset_points=operators.reset_points(points),
        revision=acts[0].revision if acts else 0,
    )
