"""Search attributes (检索属性) of our workflows: stored in the clear, so they never hold a person."""

from datetime import datetime

from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributeUpdate,
    TypedSearchAttributes,
)

STAGE = SearchAttributeKey.for_keyword("HgrStage")
"""As in the row of the case, see `schemas.stages`."""
UNIT = SearchAttributeKey.for_keyword("HgrUnit")
"""Social credit code of the unit that the case is of."""
RELEASE = SearchAttributeKey.for_keyword("HgrRelease")
"""Version of the release a draft was opened under; of a numbered backup, the one that judged it."""
BACKUP_NUMBER = SearchAttributeKey.for_keyword("HgrBackupNumber")
DEADLINE = SearchAttributeKey.for_datetime("HgrDeadline")
"""When the case next acts by itself, to the hour. A case that is open an hour later is stuck."""
BLOCKED = SearchAttributeKey.for_bool("HgrBlocked")
"""Whether it waits for an operator."""

ALL = (STAGE, UNIT, RELEASE, BACKUP_NUMBER, DEADLINE, BLOCKED)
"""What a namespace must have registered before the first workflow starts."""


def at_start(
    *,
    stage: str | None = None,
    unit: str | None = None,
    release: str | None = None,
    number: str | None = None,
    deadline: datetime | None = None,
) -> TypedSearchAttributes:
    """What is known of a case when it starts. Said then, it costs no event of its history."""
    words = {STAGE: stage, UNIT: unit, RELEASE: release, BACKUP_NUMBER: number}
    pairs = [SearchAttributePair(key, word) for key, word in words.items() if word is not None]
    due = [] if deadline is None else [SearchAttributePair(DEADLINE, deadline)]
    return TypedSearchAttributes([*pairs, *due, SearchAttributePair(BLOCKED, False)])


def deadline(at: datetime | None) -> SearchAttributeUpdate[datetime]:
    """Say when the case next acts by itself; None: not any more."""
    return DEADLINE.value_unset() if at is None else DEADLINE.value_set(at)
