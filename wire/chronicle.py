"""What a workflow's history (事件历史) tells an operator, as sentences. Pure: raw events in, entries out.

Nothing is decrypted: sentences are made of event types, names of steps and the words that workflows write for
operators (`wire.readable`). Steps whose effect our own records tell are left to those records.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import EventType, TimeoutType, WorkflowTaskFailedCause
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from schemas.errors import ERRORS
from schemas.stages import STAGES, instant
from schemas.stuck import plain_type
from schemas.texts import Text
from schemas.timeline import Entry, EntryKind, Severity, lasting
from wire import search_attributes
from wire.readable import words

STEPS: dict[str, Text] = {
    "catch_up": Text("补发提醒、补查递交", "catching up on reminders and look-ups"),
    "clear_away": Text("清理无人认领的内容", "clearing away orphan content"),
    "scan_for_stuck_work": Text("查找滞留事项", "looking for stuck work"),
    "sign_tree_head": Text("签署审计树头", "signing the tree head"),
    "attribute": Text("归入原备份", "attributing old backups"),
    "compare_rules": Text("比较规则版本", "comparing releases"),
    "decide_claim": Text("单位确认", "the unit's decision"),
    "issue_code": Text("核对并签发验证码", "looking up and issuing a code"),
    "judge_manifest": Text("重新校验文件清单", "judging the file list anew"),
    "look_up": Text("查询递交情况", "looking deposits up"),
    "move_claim": Text("移交原备份", "moving old backups"),
    "move_handover": Text("移交备份", "moving backups"),
    "move_unit_claim": Text("移交原备份", "moving old backups"),
    "reverse_unit_claim": Text("撤销单位认领", "undoing the unit's claim"),
    "send_message": Text("发送短信", "sending the text message"),
}
"""By the type of the activity."""
ASKING = "查询 "
"""How the summary of a look-up begins, before the repositories."""
WORTH_TELLING = timedelta(seconds=10)
"""A wait shorter than this is how the workflow works, not what it waits for."""
_NAMED = {
    "ConnectionError": Text("无法连接", "cannot connect"),
    "OperationalError": Text("数据库不可用", "the database is not available"),
    "TimeoutError": Text("超时", "timed out"),
}
"""Failures by the name of their type."""
_TIMEOUTS = {
    TimeoutType.TIMEOUT_TYPE_HEARTBEAT: Text("失去心跳", "its worker went silent"),
    TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START: Text("无人接手", "no worker took it"),
}
_ENDS: dict[int, tuple[Text, Severity]] = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: (Text("流程办结", "The workflow ends"), "info"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: (Text("流程失败", "The workflow fails"), "error"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: (Text("流程超时终止", "It times out"), "error"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: (Text("流程被取消", "It is cancelled"), "warning"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: (Text("流程被强行终止", "It is terminated"), "error"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: (
        Text("历史过长，换一轮继续", "The history is long; a fresh run goes on"),
        "info",
    ),
}


class Chronicle:
    """The sentences of one run, event by event."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._workflow_type = ""
        self._steps: dict[int, Text] = {}
        """Activities by the event that scheduled them."""
        self._ids: dict[str, int] = {}
        """The same by activity id."""
        self._timers: dict[int, str] = {}
        self._entries: list[Entry] = []
        self._tellers: dict[int, Callable[[HistoryEvent], None]] = {
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: self._begun,
            EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: self._scheduled,
            EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED: self._retried,
            EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: self._done,
            EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: self._failed,
            EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: self._failed,
            EventType.EVENT_TYPE_TIMER_STARTED: self._waits,
            EventType.EVENT_TYPE_TIMER_FIRED: self._due,
            EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: self._turned,
            EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED: self._task_failed,
            EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT: self._task_timed_out,
            **dict.fromkeys(_ENDS, self._ended),
        }

    def told(self, events: Iterable[HistoryEvent]) -> list[Entry]:
        """Put all events of the run into words, in their order."""
        for event in events:
            teller = self._tellers.get(event.event_type)
            if teller is not None:
                teller(event)
        return self._entries

    def pending(self, described: DescribeWorkflowExecutionResponse) -> list[Entry]:
        """What is being tried at this moment: it stands in no event yet."""
        now = [self._trying(each) for each in described.pending_activities]
        task = described.pending_workflow_task
        if task.attempt > 1:
            text = Text(
                f"流程程序出错，已试 {task.attempt} 次；办理内容没有丢失",
                f"The workflow's code fails, {task.attempt} attempts; nothing is lost",
            )
            now.append(Entry(moment(task.original_scheduled_time), "problem", text, None, "error"))
        return now

    def _tell(self, event: HistoryEvent, kind: EntryKind, text: Text, severity: Severity = "info") -> None:
        told_by = f"history.{self._run_id}.{event.event_id}"
        self._entries.append(Entry(moment(event.event_time), kind, text, told_by, severity))

    def _begun(self, event: HistoryEvent) -> None:
        started = event.workflow_execution_started_event_attributes
        self._workflow_type = started.workflow_type.name
        if started.continued_execution_run_id:
            return
        said = words(event.user_metadata.summary) or self._workflow_type
        self._tell(
            event, "workflow", Text(f"流程开始：{said}", f"The workflow begins: {self._workflow_type}")
        )

    def _scheduled(self, event: HistoryEvent) -> None:
        activity = event.activity_task_scheduled_event_attributes
        self._ids[activity.activity_id] = event.event_id
        self._steps[event.event_id] = _step(activity.activity_type.name, words(event.user_metadata.summary))

    def _retried(self, event: HistoryEvent) -> None:
        started = event.activity_task_started_event_attributes
        if started.attempt > 1:
            step, failed = self._steps[started.scheduled_event_id], started.attempt - 1
            why = _why(started.last_failure)
            text = Text(
                f"{step.zh}：前 {failed} 次{why.zh}，第 {started.attempt} 次重试",
                f"{step.en.capitalize()}: {why.en}, {failed} times; attempt {started.attempt}",
            )
            self._tell(event, "problem", text, "warning")

    def _done(self, event: HistoryEvent) -> None:
        step = self._steps[event.activity_task_completed_event_attributes.scheduled_event_id]
        self._tell(event, "step", Text(f"{step.zh}：完成", f"{step.en.capitalize()}: done"))

    def _failed(self, event: HistoryEvent) -> None:
        said: Any = event.activity_task_failed_event_attributes
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
            said = event.activity_task_timed_out_event_attributes
        step, why = self._steps[said.scheduled_event_id], _why(said.failure)
        self._tell(
            event, "problem", Text(f"{step.zh}：{why.zh}", f"{step.en.capitalize()}: {why.en}"), "warning"
        )

    def _waits(self, event: HistoryEvent) -> None:
        lasts = event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
        if lasts < WORTH_TELLING:
            return
        until = instant(moment(event.event_time) + lasts)
        said = words(event.user_metadata.summary) or "定时"
        self._timers[event.event_id] = said
        text = Text(f"等到 {until.zh}：{said}", f"Waits until {until.en} at the longest")
        self._tell(event, "wait", text)

    def _due(self, event: HistoryEvent) -> None:
        timer = self._timers.get(event.timer_fired_event_attributes.started_event_id)
        if timer is not None:
            self._tell(event, "wait", Text(f"时间到：{timer}", "The time has come"))

    def _turned(self, event: HistoryEvent) -> None:
        said = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
        if search_attributes.BLOCKED.name in said:
            blocked = said[search_attributes.BLOCKED.name].data == b"true"
            text = Text("受阻，等待运维人员处理", "Blocked: waits for an operator")
            freed = Text("解除受阻，继续办理", "Freed: it goes on")
            self._tell(event, "problem", text if blocked else freed, "error" if blocked else "info")
        stage = said[search_attributes.STAGE.name].data.decode().strip('"')
        if self._workflow_type == "BackupCreation" and stage in STAGES["backup"]:
            title = STAGES["backup"][stage].title
            self._tell(event, "state", Text(f"阶段：{title.zh}", f"Stage: {title.en}"))

    def _task_failed(self, event: HistoryEvent) -> None:
        said = event.workflow_task_failed_event_attributes
        if said.cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW:
            self._tell(event, "operator", Text("流程重置到此", "The workflow was reset to here"), "warning")
            return
        kind = plain_type(said.failure.application_failure_info.type or "unknown")
        changed = said.cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
        why = Text("程序与历史不符", "the code does not fit the history") if changed else Text(kind, kind)
        text = Text(f"流程程序出错：{why.zh}", f"The workflow's code fails: {why.en}")
        self._tell(event, "problem", text, "error")

    def _task_timed_out(self, event: HistoryEvent) -> None:
        text = Text(
            "worker 没有按时答复，改由其他 worker 接手", "A worker did not answer in time; another takes over"
        )
        self._tell(event, "problem", text, "warning")

    def _ended(self, event: HistoryEvent) -> None:
        text, severity = _ENDS[event.event_type]
        self._tell(event, "workflow", text, severity)

    def _trying(self, activity: PendingActivityInfo) -> Entry:
        scheduled = self._ids.get(activity.activity_id)
        step = self._steps[scheduled] if scheduled else _step(activity.activity_type.name, None)
        if not activity.HasField("last_failure"):
            text = Text(f"正在{step.zh}", f"In progress: {step.en}")
            return Entry(moment(activity.scheduled_time), "step", text)
        why = _why(activity.last_failure)
        failed, ended = activity.attempt - 1, moment(activity.last_attempt_complete_time)
        if activity.HasField("next_attempt_schedule_time"):
            wait = lasting(moment(activity.next_attempt_schedule_time) - ended)
            then = Text(f"{wait.zh}后重试", f"tried again after {wait.en}")
        else:
            then = Text(f"正在第 {activity.attempt} 次尝试", f"attempt {activity.attempt} is in progress")
        apart = " " if step.zh[-1:].isascii() else ""
        text = Text(
            f"第 {failed} 次{step.zh}{apart}{why.zh}，{then.zh}",
            f"Attempt {failed} at {step.en}: {why.en}; {then.en}",
        )
        return Entry(ended, "problem", text, None, "warning")


def moment(said: Timestamp) -> datetime:
    """A protobuf timestamp as an instant."""
    return said.ToDatetime(UTC)


def _step(activity_type: str, summary: str | None) -> Text:
    step = STEPS.get(activity_type, Text(activity_type, activity_type))
    if activity_type == "look_up" and summary is not None and summary.startswith(ASKING):
        return Text(summary, f"looking up {summary.removeprefix(ASKING)}")
    return Text(summary or step.zh, step.en)


def _why(failure: Failure) -> Text:
    """What a failure is, by its kind: its text may quote anything."""
    if failure.HasField("timeout_failure_info"):
        return _TIMEOUTS.get(failure.timeout_failure_info.timeout_type, Text("超时", "timed out"))
    name = failure.application_failure_info.type
    if name in _NAMED:
        return _NAMED[name]
    if name in ERRORS:
        return ERRORS[name].title
    if not name and failure.HasField("cause"):
        return _why(failure.cause)
    return Text(f"失败（{plain_type(name)}）", f"failed ({plain_type(name)})")


def retold(
    runs: Sequence[tuple[str, Sequence[HistoryEvent]]], described: DescribeWorkflowExecutionResponse | None
) -> list[Entry]:
    """All runs of a workflow in words, the oldest first, and what the latest is doing now.

    Args:
        runs: Run ids with their events.
        described: The latest run as Temporal describes it.
    """
    entries: list[Entry] = []
    for run_id, events in runs:
        chronicle = Chronicle(run_id)
        entries += chronicle.told(events)
        if described is not None and described.workflow_execution_info.execution.run_id == run_id:
            entries += chronicle.pending(described)
    return entries
