"""Sentences out of recorded histories: every path there is, in both languages, without a word decrypted."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.history.v1 import HistoryEvent, WorkflowTaskFailedEventAttributes
from temporalio.client import WorkflowHistory

from schemas.errors import ERRORS
from schemas.timeline import ACTS, Record, lasting, of_record
from wire.chronicle import STEPS, Chronicle

TESTS = Path(__file__).parents[1]
FOLDERS = ("workflows", "claims", "delegation", "attribution", "eligibility", "amendments")
RECORDED = [path for name in FOLDERS for path in sorted((TESTS / name / "histories").glob("[0-9]*/*.json"))]
CHINESE = re.compile(r"[\u4e00-\u9fff]")
ENCRYPTED = re.compile(r"[A-Za-z0-9+/]{40}")
NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


def told(path: Path) -> list[str]:
    history = WorkflowHistory.from_json(path.stem, path.read_text("utf-8"))
    return [entry.text.zh for entry in Chronicle("run").told(history.events)]


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: "-".join(path.parts[-4:]).removesuffix(".json"))
def test_every_recorded_history_can_be_told_in_both_languages(path: Path) -> None:
    history = WorkflowHistory.from_json(path.stem, path.read_text("utf-8"))
    entries = Chronicle("run").told(history.events)
    assert entries
    for entry in entries:
        assert CHINESE.search(entry.text.zh)
        assert not CHINESE.search(entry.text.en)
        assert not ENCRYPTED.search(entry.text.zh + entry.text.en)
        assert entry.event_id is not None
        assert entry.event_id.startswith("history.run.")


def test_every_activity_that_a_workflow_waits_for_has_a_name_in_both_languages() -> None:
    fingerprint = json.loads((TESTS / "workflows" / "histories" / "fingerprint.json").read_text("utf-8"))
    awaited = {
        line.rpartition(".")[2]
        for lines in fingerprint.values()
        for line in lines
        if "execute_activity_method" in line
    }
    assert awaited == set(STEPS)


def test_reminders_and_expiry_are_told_as_waits_that_end() -> None:
    newest = max((TESTS / "workflows" / "histories").glob("[0-9]*"), key=lambda folder: int(folder.name))
    sentences = told(newest / "expired_with_reminders.json")
    assert sum(sentence.startswith("时间到：") for sentence in sentences) == 3
    assert sentences[-2:] == ["阶段：已过期", "流程办结"]


@pytest.mark.parametrize(
    ("cause", "kind", "sentence"),
    [
        (WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR, "", "程序与历史不符"),
        (WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNSPECIFIED, "KeyError", "KeyError"),
        (WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNSPECIFIED, "张三 13800000000", "unknown"),
    ],
)
def test_failing_code_is_told_by_its_kind_and_never_by_what_it_says(
    cause: WorkflowTaskFailedCause.ValueType, kind: str, sentence: str
) -> None:
    failure = Failure(message="张三", application_failure_info=ApplicationFailureInfo(type=kind))
    event = HistoryEvent(
        event_id=4,
        event_type=EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
        workflow_task_failed_event_attributes=WorkflowTaskFailedEventAttributes(cause=cause, failure=failure),
    )
    (entry,) = Chronicle("run").told([event])
    assert entry.text.zh == f"流程程序出错：{sentence}"
    assert entry.severity == "error"


@pytest.mark.parametrize("act", [*ACTS, "operator_refused_retry", "something_new"])
def test_every_act_can_be_told_done_or_refused_whatever_its_facts_lack(act: str) -> None:
    case = UUID(int=1)
    lacking: list[dict[str, Any]] = [
        {},
        {"outcome": {}},
        {"outcome": {"refused": "not_allowed", "facts": {}}},
    ]
    for facts in lacking:
        record = Record(7, NOW, act, "person", case, "backup", None, facts)
        entry = of_record(record)
        assert entry.text.zh.startswith("申请人 00000000：")
        assert entry.text.en.startswith("Applicant 00000000: ")
        assert entry.event_id == "record.7"
        if "refused" in facts.get("outcome", {}) and act != "operator_refused_retry":
            assert ERRORS["not_allowed"].title.zh in entry.text.zh
            assert entry.severity == "warning"


@pytest.mark.parametrize(
    ("seconds", "zh", "en"),
    [
        (0.2, "0 秒", "0 s"),
        (4, "4 秒", "4 s"),
        (90, "90 秒", "90 s"),
        (600, "10 分钟", "10 min"),
        (7_200, "2 小时", "2 h"),
        (86_400, "1 天", "1 d"),
        (-5, "0 秒", "0 s"),
    ],
)
def test_lengths_of_time_are_told_to_the_unit_that_matters(seconds: float, zh: str, en: str) -> None:
    assert lasting(timedelta(seconds=seconds)) == (zh, en)
