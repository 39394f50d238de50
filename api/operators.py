"""Operators (运维人员): who they are, and what they are shown of a case. Never a person."""

from collections.abc import Sequence
from datetime import UTC
from typing import Annotated, Any

from fastapi import Depends
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from api.auth import Identity, IdentityDep
from schemas import stuck as words
from schemas.errors import Refusal
from schemas.http import ops as http
from schemas.platform_errors import HELP
from schemas.stuck import Action, offered
from schemas.texts import Language, Text
from store.stuck import Entry
from wire import executions

_APART = frozenset({"auditor", "policy"})
"""Roles that none may hold together with the operator's: those who act do not judge their own acts."""
_TEMPORAL_S_OWN = "timeout"
NOTICES = {
    "case_returned": Text(
        "平台工作人员已将您的一项办理退回：请登录后检查，更正后重新提交，或联系备份服务。" + HELP.zh,
        "The platform's staff returned a case of yours: look at it, correct it and submit it again, or ask "
        "the backup service. " + HELP.en,
    ),
}
"""What an applicant is told."""


async def operator(who: IdentityDep) -> Identity:
    """Dependency: an operator, who is neither auditor nor policy maker (三员分立).

    Raises:
        Refusal: ``not_allowed``.
    """
    if "operator" not in who.roles or who.roles & _APART:
        raise Refusal("not_allowed")
    return who


Operator = Annotated[Identity, Depends(operator)]


def stuck_view(entry: Entry, spoken: Language) -> http.StuckView:
    """One row of the list, in words."""
    said = words.WORDS[entry.cause]
    actions = offered(entry.cause, local=entry.local, with_support=entry.support is not None)
    return http.StuckView(
        title=_say(said.title, spoken),
        meaning=_say(said.meaning, spoken),
        advice=_say(said.advice, spoken),
        actions=[_offer(action, spoken) for action in actions],
        **{name: value for name, value in entry._asdict().items() if name in http.StuckView.model_fields},
    )


def title(action: Action, spoken: Language) -> str:
    """An action in words."""
    return _say(words.ACTION_WORDS[action], spoken)


def pending(found: DescribeWorkflowExecutionResponse | None) -> list[http.PendingActivityView]:
    """Steps that are being tried: types and counts alone."""
    if found is None:
        return []
    return [
        http.PendingActivityView(
            activity=each.activity_type.name,
            attempt=each.attempt,
            failure=_failure(each) if each.HasField("last_failure") else None,
            next_attempt_at=each.next_attempt_schedule_time.ToDatetime(UTC)
            if each.HasField("next_attempt_schedule_time")
            else None,
        )
        for each in found.pending_activities
    ]


def standing(found: DescribeWorkflowExecutionResponse | None) -> str:
    """Where its workflow stands."""
    if found is None:
        return "absent"
    if executions.is_paused(found):
        return "paused"
    return "running" if executions.lives(found) else "closed"


def reset_points(points: Sequence[executions.ResetPoint], most: int = 10) -> list[http.ResetPointView]:
    """The latest points, the latest first."""
    return [http.ResetPointView.model_validate(point._asdict()) for point in reversed(points[-most:])]


def _failure(pending_activity: Any) -> str:
    return words.plain_type(pending_activity.last_failure.application_failure_info.type or _TEMPORAL_S_OWN)


def _offer(action: Action, spoken: Language) -> http.ActionOffered:
    return http.ActionOffered(
        action=action,
        title=title(action, spoken),
        needs_confirmation=action in words.DANGEROUS,
        undo=words.UNDO.get(action),
    )


def _say(text: Text, spoken: Language) -> str:
    return text.zh if spoken == "zh" else text.en
