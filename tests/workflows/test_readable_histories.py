"""An operator without any key reads what a case is, what each step of it does, and what it waits for."""

import re
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
from backup_desk import Desk, Draft, Repositories, file_list
from google.protobuf import json_format
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.api.workflowservice.v1 import QueryWorkflowRequest
from temporalio.client import WorkflowHistory
from temporalio.testing import TimeSkipper

from schemas.claims import ClaimState
from schemas.delegation import HandoverState
from schemas.stages import STAGES
from schemas.tables.backups import BackupState
from wire import search_attributes
from wire.readable import words

TESTS = Path(__file__).parents[1]
EXPLAINED = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
    EventType.EVENT_TYPE_MARKER_RECORDED,
    EventType.EVENT_TYPE_TIMER_STARTED,
}
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def newest(folder: str) -> list[Path]:
    versions = (TESTS / folder / "histories").glob("[0-9]*")
    return sorted(max(versions, key=lambda version: int(version.name)).iterdir())


HISTORIES = [
    path
    for folder in ("workflows", "claims", "delegation", "attribution", "eligibility", "amendments")
    for path in newest(folder)
]


def unexplained(history: WorkflowHistory) -> list[str]:
    """Events that an operator would have to guess at."""
    return [
        f"{event.event_id} {EventType.Name(event.event_type)}"
        for event in history.events
        if event.event_type in EXPLAINED and not _explained(event)
    ]


def _explained(event: HistoryEvent) -> bool:
    said = words(event.user_metadata.summary)
    fresh_run = event.workflow_execution_started_event_attributes.continued_execution_run_id
    # names the code that ran; the SDK gives it no summary, and nothing happens at it
    patch = event.marker_recorded_event_attributes.marker_name == "core_patch"
    return bool(said and CHINESE.search(said)) or bool(fresh_run) or patch


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: f"{path.parts[-4]}-{path.stem}")
def test_every_step_of_a_recorded_history_is_explained_in_chinese(path: Path) -> None:
    assert unexplained(WorkflowHistory.from_json(path.stem, path.read_text("utf-8"))) == []


def test_that_check_sees_steps_without_words() -> None:
    before = TESTS / "workflows" / "histories" / "1" / "plain.json"
    assert len(unexplained(WorkflowHistory.from_json("before", before.read_text("utf-8")))) == 6


def test_every_state_of_every_procedure_has_words_in_both_languages() -> None:
    handover, claim = set(get_args(HandoverState)), set(get_args(ClaimState))
    assert set(STAGES["handover"]) == handover
    assert set(STAGES["claim"]) | set(STAGES["unit_claim"]) == claim
    assert set(STAGES["backup"]) >= {state.value for state in BackupState}
    for stages in STAGES.values():
        for stage in stages.values():
            for text in stage:
                assert bool(text.zh) == bool(text.en)
                assert not CHINESE.search(text.en)


async def told(draft: Draft) -> str:
    """Current details, as whoever has no key gets them."""
    client = draft.desk.platform.temporal
    answer = await client.workflow_service.query_workflow(
        QueryWorkflowRequest(
            namespace=client.namespace,
            execution=WorkflowExecution(workflow_id=draft.handle.id),
            query=WorkflowQuery(query_type="__temporal_workflow_metadata"),
        )
    )
    return json_format.Parse(answer.query_result.payloads[0].data, WorkflowMetadata()).current_details


async def shown(draft: Draft) -> dict[str, object]:
    attributes = (await draft.handle.describe()).typed_search_attributes
    return {
        pair.key.name: pair.value
        for pair in attributes.search_attributes
        if pair.key in search_attributes.ALL
    }


async def test_a_draft_says_without_a_key_where_it_stands_until_it_is_numbered(desk: Desk) -> None:
    draft = await desk.filled()
    summary = (await draft.handle.describe()).raw_description.execution_config.user_metadata.summary
    assert words(summary) == f"备份 {str(draft.id)[:8]} · 单位 {draft.opening.unit_code} · 规则 2023.7.1"
    progress, before = await draft.progress(), await shown(draft)
    assert before.pop("HgrDeadline") == draft.opening.due_at
    assert before == {
        "HgrStage": "draft",
        "HgrUnit": draft.opening.unit_code,
        "HgrRelease": "2023.7.1",
        "HgrBlocked": False,
    }
    details = await told(draft)
    assert details.startswith("**草稿**\n\n- 等待：委托人保存或提交\n")
    assert "**Draft**" in details
    assert progress.expires_at is not None
    assert f"{progress.expires_at + timedelta(hours=8):%Y-%m-%d %H:%M}（北京时间）过期" in details

    number = (await draft.submit()).number
    await draft.handle.result()
    assert await shown(draft) == before | {"HgrStage": "numbered", "HgrBackupNumber": number}
    assert await told(draft) == (
        f"**已编号**\n\n- 备份编号 {number}\n\n**Numbered**\n\n- Backup number {number}"
    )


async def test_a_draft_that_waits_names_the_repository_and_shows_when_it_is_asked_again(
    desk: Desk, time_skipper: TimeSkipper, repositories: Repositories
) -> None:
    draft = await desk.filled()
    await draft.save("data-files", file_list(in_transit=["gvm"]))
    first = (await draft.progress()).recheck_at
    assert await shown(draft) == await shown(draft) | {
        "HgrStage": "waiting_for_deposit",
        "HgrDeadline": first,
    }
    assert "- 尚未收到：gvm\n" in await told(draft)

    await time_skipper.fast_forward(draft.handle, timedelta(days=1, minutes=1))
    await repositories.are_asked()
    await draft.save("project", {"title": "x"})
    again = (await draft.progress()).recheck_at
    assert first is not None
    assert again is not None
    assert again > first
    assert (await shown(draft))["HgrDeadline"] == again


async def test_many_saves_move_the_deadline_without_an_event_to_show_it(desk: Desk) -> None:
    draft = await desk.filled()
    for _ in range(3):
        await draft.save("project", {"title": "x"})
    assert EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES not in {
        event.event_type for event in (await draft.history()).events
    }


async def test_a_fresh_run_goes_on_showing_what_the_one_before_it_showed(desk: Desk) -> None:
    draft = await desk.filled(events_per_run=12)
    history = await draft.history()
    assert history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
    assert (await shown(draft))["HgrUnit"] == draft.opening.unit_code
    assert (await told(draft)).startswith("**草稿**")
