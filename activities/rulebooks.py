"""Comparing releases of the rulebook, with progress, from where the attempt before ended."""

import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine
from temporalio import activity

from rules.engine.diff import diff
from rules.engine.judge import Judge
from schemas.contracts.rulebooks import CompareRules
from schemas.errors import Refusal
from schemas.tables.backups import Operation
from schemas.tables.rulebook import RuleComparison
from store import comparisons, operations
from store.database import reading, writing
from store.forms import FormStore
from store.impact import Impact, replay
from store.releases import Rulebook, Rulebooks

TOLD_EVERY = 1.0
"""Seconds between two notes of the progress."""


class RulebookActivities:
    """Compares stored releases."""

    def __init__(self, engine: Engine, rulebooks: Rulebooks, forms: FormStore) -> None:
        self._engine = engine
        self._rulebooks = rulebooks
        self._forms = forms

    @activity.defn
    def compare_rules(self, order: CompareRules) -> None:
        """Compare two releases, or judge what was submitted by one; heartbeats with done and total.

        A refusal, for instance of a release whose signatures do not hold, is the operation's outcome.
        """
        with reading(self._engine) as reader:
            operation = reader.get_one(Operation, order.operation_id)
            comparison = reader.get_one(RuleComparison, order.comparison_id)
        if operation.outcome is not None:
            return
        try:
            if comparison.old is None:
                self._replay(comparison, operation.asked_at)
            else:
                self._diff(comparison.id, comparison.old, comparison.new)
        except Refusal as refusal:
            with writing(self._engine) as writer:
                operations.refuse(writer, order.operation_id, refusal)
            return
        with writing(self._engine) as writer:
            comparisons.finish(writer, order.operation_id)

    def _diff(self, comparison_id: UUID, old: str, new: str) -> None:
        with reading(self._engine) as reader:
            first, second = (self._rulebooks.published(reader, digest) for digest in (old, new))
        difference = diff(first, second, self._telling(comparison_id))
        with writing(self._engine) as writer:
            comparisons.keep_difference(writer, comparison_id, difference)

    def _replay(self, comparison: RuleComparison, at: datetime) -> None:
        with reading(self._engine) as reader:
            release = self._rulebooks.published(reader, comparison.new)
        found = Impact(candidate=release.digest)
        if comparison.resume is not None:
            found = Impact.model_validate(comparison.resume)

        def note(found: Impact) -> None:
            with writing(self._engine) as writer:
                comparisons.keep_changes(writer, comparison.id, found)

        replay(
            self._engine,
            self._rulebooks,
            self._forms,
            Rulebook(release, Judge(release)),
            at,
            found,
            note,
            self._telling(comparison.id),
        )

    def _telling(self, comparison_id: UUID) -> Callable[[int, int], None]:
        """Tells Temporal at every word that it lives, and the database now and then how far it has come."""
        last = -TOLD_EVERY

        def tell(done: int, total: int) -> None:
            nonlocal last
            activity.heartbeat(done, total)
            if time.monotonic() - last >= TOLD_EVERY:
                last = time.monotonic()
                with writing(self._engine) as writer:
                    comparisons.tell(writer, comparison_id, done, total)

        return tell
