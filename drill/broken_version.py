"""A version of a workflow that was deployed by mistake: it cannot take any draft further."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from schemas.contracts.backups import Closed, OpenBackup


@workflow.defn(name="BackupCreation")
class Broken:
    """Fails wherever it is run."""

    @workflow.run
    async def run(self, opening: OpenBackup) -> Closed:
        """Fail."""
        raise RuntimeError("a bug")
