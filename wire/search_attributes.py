"""Search attributes (检索属性) of our workflows: stored in the clear, so they never hold a person."""

from temporalio.common import SearchAttributeKey

STAGE = SearchAttributeKey.for_keyword("HgrStage")
UNIT = SearchAttributeKey.for_keyword("HgrUnit")
RELEASE = SearchAttributeKey.for_keyword("HgrRelease")
BACKUP_NUMBER = SearchAttributeKey.for_keyword("HgrBackupNumber")
DEADLINE = SearchAttributeKey.for_datetime("HgrDeadline")
BLOCKED = SearchAttributeKey.for_bool("HgrBlocked")

ALL = (STAGE, UNIT, RELEASE, BACKUP_NUMBER, DEADLINE, BLOCKED)
"""What a namespace must have registered before the first workflow starts."""
