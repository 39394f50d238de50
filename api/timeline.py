"""The timeline of a case over HTTP: our own records and Temporal's history, merged into sentences."""

from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter
from fastapi import Path as PathParameter
from pydantic import AwareDatetime, Field
from starlette.concurrency import run_in_threadpool
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.service import RPCError

from api import raw_events
from api.bodies import StrictRoute
from api.operators import Operator
from api.pages import DEFAULT_SIZE, Keyset, PageSize, PageToken
from api.platform import Platform, PlatformDep
from schemas.errors import Refusal
from schemas.http import timeline as http
from schemas.http.backups import Pagination
from schemas.texts import Text
from schemas.timeline import Entry, of_record
from store import cases
from store import timeline as records
from store.cases import Case
from store.database import reading
from wire import executions, histories
from wire.chronicle import retold

router = APIRouter(prefix="/v1/ops/cases", tags=["operators"], route_class=StrictRoute)

History = Literal["read", "gone", "unreachable"]
EventId = Annotated[
    str,
    PathParameter(
        pattern=r"^(record\.[1-9][0-9]{0,17}|history\.[0-9a-f-]{36}\.[1-9][0-9]{0,8})$",
        description="event_id 见时间线 / `event_id` of an entry",
    ),
]
NOTES: dict[History, Text] = {
    "gone": Text(
        "Temporal 已不再保存此流程的历史（已过保留期或已删除），以下全部出自平台自己的记录。",
        "Temporal keeps this workflow's history no more (past retention, or deleted): all of this comes from "
        "our own records.",
    ),
    "unreachable": Text(
        "Temporal 暂时无法连接，以下只有平台自己的记录；请稍后再看。",
        "Temporal cannot be reached: these are our own records alone. Look again later.",
    ),
}


class Place(NamedTuple):
    """Key of the list: time, and the place among what happened then."""

    at: AwareDatetime
    nth: Annotated[int, Field(ge=0, lt=1 << 31)]


TIMELINE: Keyset[Place] = Keyset("timeline", Place)


@router.get("/{case_id}/timeline", operation_id="getTimeline", summary="时间线 / Timeline of a case")
async def get_timeline(
    case_id: UUID,
    who: Operator,
    platform: PlatformDep,
    page_size: PageSize = DEFAULT_SIZE,
    page_token: PageToken = None,
) -> http.TimelinePage:
    """What happened to a case, the oldest first, as sentences; told by our own records, and by Temporal."""
    place = TIMELINE.after(page_token)
    case, told = await run_in_threadpool(_records, platform, case_id)
    history, more = await _history(platform, case)
    placed = _placed([*told, *more])
    rest = [each for each in placed if place is None or each[0] > place]
    page, token = TIMELINE.page(rest[: page_size + 1], page_size, lambda each: each[0])
    return http.TimelinePage(
        case_id=case.case_id,
        case_kind=case.kind,
        workflow_id=case.workflow_id,
        history=history,
        note=http.Sentence(**NOTES[history]._asdict()) if history in NOTES else None,
        web_ui=_web_ui(platform, case.workflow_id),
        entries=[_view(entry) for _, entry in page],
        pagination=Pagination(next_page_token=token),
    )


@router.get(
    "/{case_id}/timeline/{event_id}/event", operation_id="getRawEvent", summary="原始事件 / The raw event"
)
async def get_raw_event(
    case_id: UUID, event_id: EventId, who: Operator, platform: PlatformDep
) -> http.RawEventView:
    """The event that an entry was told by, as it was recorded; what is encrypted in it is masked."""
    case = await run_in_threadpool(_case, platform, case_id)
    origin, _, rest = event_id.partition(".")
    if origin == "record":
        event = await run_in_threadpool(_record, platform, case, int(rest))
        return http.RawEventView(event_id=event_id, event=event, web_ui=None)
    run_id, _, nth = rest.partition(".")
    try:
        _, runs = await _told(platform, case)
    except RPCError:
        raise Refusal("waiting_for_platform", retry_after=5) from None
    found = [
        event for run in runs if run.run_id == run_id for event in run.events if event.event_id == int(nth)
    ]
    if not found:
        raise Refusal("not_found")
    return http.RawEventView(
        event_id=event_id,
        event=await raw_events.shown(platform.temporal, found[0]),
        web_ui=_web_ui(platform, case.workflow_id, run_id),
    )


def _case(platform: Platform, case_id: UUID) -> Case:
    with reading(platform.engine) as reader:
        case = cases.find(reader, case_id)
    if case is None:
        raise Refusal("not_found")
    return case


def _records(platform: Platform, case_id: UUID) -> tuple[Case, list[Entry]]:
    with reading(platform.engine) as reader:
        case = cases.find(reader, case_id)
        if case is None:
            raise Refusal("not_found")
        return case, [of_record(record) for record in records.records(reader, case)]


def _record(platform: Platform, case: Case, id_: int) -> dict[str, object]:
    with reading(platform.engine) as reader:
        event = records.record(reader, case, id_)
        if event is None:
            raise Refusal("not_found")
        return raw_events.recorded(event)


async def _history(platform: Platform, case: Case) -> tuple[History, list[Entry]]:
    try:
        described, runs = await _told(platform, case)
    except RPCError:
        return "unreachable", []
    return ("read" if runs else "gone"), retold(runs, described)


async def _told(
    platform: Platform, case: Case
) -> tuple[DescribeWorkflowExecutionResponse | None, list[histories.Run]]:
    """What Temporal has of the case: its latest run described, and the events of its runs."""
    described = await executions.describe(platform.temporal, case.workflow_id)
    shared = case.kind == "handover"  # a person's handovers go by one workflow id, one after another
    since, until = (case.created_at, case.closed_at) if shared else (None, None)
    return described, await histories.runs(platform.temporal, case.workflow_id, described, since, until)


def _placed(entries: Sequence[Entry]) -> list[tuple[Place, Entry]]:
    """Entries in their order, each with its place; those of one instant keep the order of their source."""
    placed: list[tuple[Place, Entry]] = []
    for entry in sorted(entries, key=lambda entry: entry.at):
        same = placed and placed[-1][1].at == entry.at
        placed.append((Place(entry.at, placed[-1][0].nth + 1 if same else 0), entry))
    return placed


def _view(entry: Entry) -> http.TimelineEntryView:
    return http.TimelineEntryView(
        at=entry.at,
        kind=entry.kind,
        severity=entry.severity,
        text=http.Sentence(**entry.text._asdict()),
        event_id=entry.event_id,
    )


def _web_ui(platform: Platform, workflow_id: str, run_id: str | None = None) -> str | None:
    if platform.temporal_ui is None:
        return None
    base = f"{platform.temporal_ui.rstrip('/')}/namespaces/{platform.temporal.namespace}/workflows"
    return f"{base}/{quote(workflow_id, safe='')}" + (f"/{run_id}/history" if run_id else "")
