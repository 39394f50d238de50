"""What a workflow obeys: steps, deadlines, limits, the shape of the number."""

import datetime as dt
from typing import Literal

from rules.engine.model import Basis, Part
from schemas.texts import Text


class Step(Part):
    """One step (步骤) of a backup.

    Attributes:
        form: Form that is filled in; for a manifest, the form of one row.
        judged_by: Subjects whose rules judge the step.
    """

    id: str
    title: Text
    kind: Literal["form", "manifest"]
    form: str
    required: bool
    judged_by: tuple[str, ...]


class Limits(Part):
    """Sizes beyond which an upload is refused."""

    manifest_rows_max: int
    manifest_bytes_max: int
    form_bytes_max: int


class NumberFormat(Part):
    """Shape of the backup number (备份编号): prefix, day in a time zone, serial of that day."""

    prefix: str
    date: Literal["yyyymmdd"]
    time_zone: str
    serial_digits: int

    def number(self, day: dt.date, serial: int) -> str:
        """The backup number of a day's serial, e.g. ``BF2026112200001``."""
        return f"{self.prefix}{day:%Y%m%d}{serial:0{self.serial_digits}d}"


class BackupCreationProcedure(Part):
    """Content of ``procedures/backup-creation.yaml``.

    Attributes:
        judged_by: Subjects whose rules judge all steps together at submission.
        expires_after: A draft ends so long after its last save.
        reminders_before: Reminders so long before it ends, the earliest first.
        recheck_deposits_every: How often deposits on their way are looked up again.
    """

    title: Text
    in_force_from: dt.date
    basis: tuple[Basis, ...]
    steps: tuple[Step, ...]
    judged_by: tuple[str, ...]
    expires_after: dt.timedelta
    reminders_before: tuple[dt.timedelta, ...]
    recheck_deposits_every: dt.timedelta
    limits: Limits
    number: NumberFormat
    decision: Text | None = None

    def remind_at(self, saved_at: dt.datetime) -> list[dt.datetime]:
        """When to remind of a draft that was saved then, soonest first; never before it was saved."""
        expires_at = saved_at + self.expires_after
        return sorted(expires_at - before for before in self.reminders_before if before < self.expires_after)

    def step(self, id: str) -> Step:  # noqa: A002
        """The step of that id.

        Raises:
            KeyError: There is none.
        """
        for step in self.steps:
            if step.id == id:
                return step
        raise KeyError(id)
