"""What the model knows: who held which backup when, what became of numbers, and what was said of people."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

State = Literal["draft", "numbered", "withdrawn", "superseded"]
Holder = UUID | None


@dataclass(eq=False)
class Record:
    """One backup. Steps of the model are numbered, and stand for instants.

    Attributes:
        unit: Which it is held for; of a legacy backup the one on record.
        numbered: In which step it got its number.
        withdrawn: In which step its number was withdrawn.
        complete: Whether all its steps are saved.
        uses: After which steps a prior report has used it.
        move: What gave it to whoever holds it.
        held: Who held it since which step; None: nobody.
    """

    id: UUID
    unit: str
    state: State = "draft"
    number: str | None = None
    numbered: int | None = None
    withdrawn: int | None = None
    legacy: bool = False
    corrects: "Record | None" = None
    complete: bool = True
    title: str | None = None
    revision: int = 1
    version: int = 1
    uses: list[int] = field(default_factory=list)
    move: object = None
    held: list[tuple[int, Holder]] = field(default_factory=list)

    def holder(self, at: int | None = None) -> Holder:
        """Who holds it, now or when a step was over."""
        past = [who for step, who in self.held if at is None or step <= at]
        return past[-1] if past else None


@dataclass(eq=False)
class Somebody:
    """A person, and which unit their tokens said authorises them, each since when it was issued."""

    account: UUID
    said: list[tuple[datetime, str | None]] = field(default_factory=list)

    @property
    def unit(self) -> str | None:
        """The unit that authorises them now."""
        return self.said[-1][1]

    def unit_at(self, at: datetime) -> str | None:
        """The unit that authorised them then."""
        known = [unit for since, unit in self.said if since <= at]
        return known[-1] if known else None


@dataclass
class Country:
    """All of it.

    Attributes:
        instants: When each step was over.
    """

    backups: list[Record] = field(default_factory=list)
    people: list[Somebody] = field(default_factory=list)
    instants: list[datetime] = field(default_factory=list)

    @property
    def step(self) -> int:
        """The number of the step that is running."""
        return len(self.instants)

    @property
    def numbers(self) -> list[Record]:
        """What has a number."""
        return [each for each in self.backups if each.number is not None]

    def of(self, account: UUID, unit: str) -> list[Record]:
        """What somebody holds for a unit."""
        return [each for each in self.backups if each.holder() == account and each.unit == unit]

    def gives(self, backups: list[Record], to: Holder, move: object) -> None:
        """Somebody holds them from this step on."""
        for each in backups:
            each.held.append((self.step, to))
            each.move = move

    def eligible(self, backup: Record, person: Somebody, at: int) -> bool:
        """Whether somebody might use a number in a prior report when a step was over."""
        numbered = backup.numbered is not None and backup.numbered <= at
        stands = backup.withdrawn is None or backup.withdrawn > at
        holds = backup.holder(at) == person.account
        return numbered and stands and holds and person.unit_at(self.instants[at]) == backup.unit
