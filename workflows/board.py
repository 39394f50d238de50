"""What operators see of a case while it runs: search attributes to find it by, words to understand it."""

from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate

from schemas.stages import Procedure, standing
from schemas.texts import Text
from wire import search_attributes

MOVED = timedelta(hours=1)
"""By how much a deadline moves before it is shown anew: saves move it by seconds, and showing is an event."""


class Board:
    """The board (看板) of one case."""

    def __init__(self, procedure: Procedure, due_at: datetime | None = None) -> None:
        """Begin with what was said at the start.

        Args:
            procedure: What kind of case it is.
            due_at: The deadline said at the start. Without one the deadline is shown with stages alone: so it
                was for the cases of before, and a command of their history cannot be added.
        """
        self._procedure = procedure
        self._follows = due_at is not None
        self.due_at = due_at

    def show_stage(self, state: str, due_at: datetime | None, *others: SearchAttributeUpdate[Any]) -> None:
        """Say that another stage has begun, and when it ends by itself; one event, with what else changes."""
        self.due_at = due_at
        stage = search_attributes.STAGE.value_set(state)
        workflow.upsert_search_attributes([stage, search_attributes.deadline(due_at), *others])

    def show_deadline(self, due_at: datetime | None) -> None:
        """Say when the case next acts by itself, if that is another time than was said last."""
        if not self._follows or due_at is None:
            return
        if self.due_at is None or abs(due_at - self.due_at) >= MOVED:
            self.due_at = due_at
            workflow.upsert_search_attributes([search_attributes.deadline(due_at)])

    def tell(self, state: str, due_at: datetime | None, *more: Text) -> None:
        """Say in words where the case stands and what it waits for; no event."""
        workflow.set_current_details(standing(self._procedure, state, due_at, *more))
