"""The backup workflow as later versions of it might be: one changed with a patch, one without."""

from datetime import timedelta

from temporalio import workflow

from schemas.contracts.backups import Closed, OpenBackup, Submit, Verdict
from workflows.backup_creation import BackupCreation

REVIEW = timedelta(milliseconds=200)


@workflow.defn(name="BackupCreation", sandboxed=False)
class Patched(BackupCreation):
    """Waits for a review before it seals; drafts that were being sealed before are sealed as before."""

    @workflow.init
    def __init__(self, opening: OpenBackup) -> None:
        super().__init__(opening)

    @workflow.run
    async def run(self, opening: OpenBackup) -> Closed:
        """As ever."""
        return await super().run(opening)

    async def _seal(self, update_id: str, command: Submit) -> Verdict:
        if workflow.patched("review-before-sealing-2026-11"):
            await workflow.sleep(REVIEW)
        return await super()._seal(update_id, command)


@workflow.defn(name="BackupCreation", sandboxed=False)
class Unguarded(BackupCreation):
    """Waits before the first step, in drafts that are past it as well."""

    @workflow.init
    def __init__(self, opening: OpenBackup) -> None:
        super().__init__(opening)

    @workflow.run
    async def run(self, opening: OpenBackup) -> Closed:
        """Wait, then as ever."""
        await workflow.sleep(REVIEW)
        return await super().run(opening)
