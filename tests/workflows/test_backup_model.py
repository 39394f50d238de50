"""Any sequence of what persons and time do to a draft, against a model of it small enough to be believed."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from backup_desk import GOOD, ON_THEIR_WAY, Content, Desk, Repositories, file_list, refused, working
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from temporalio.service import RPCError
from temporalio.testing import TimeSkipper
from temporalio.worker import Worker

from rules.engine.release import Release
from settings import Settings
from wire.client import connect

EXPIRES, REMINDERS = 180, (150, 173)
"""Days after the last save."""
BAD: dict[str, Content] = {"project": {}, "backup-information": {}, "data-files": file_list(md5=False)}
STEPS = st.sampled_from(sorted(GOOD))
REPOSITORIES = st.sampled_from(sorted(ON_THEIR_WAY))


class World:
    """The real servers, one database, and a worker that may be replaced at any moment."""

    def __init__(self, runner: asyncio.Runner, settings: Settings, release: Release) -> None:
        self.do = runner.run
        self.repositories = Repositories()
        self._settings = settings
        self._client = self.do(connect(settings))
        self.skipper = TimeSkipper(self._client)
        self.desk = Desk.furnished(self._client, settings, release)
        self.numbers: set[str] = set()
        self._worker = AsyncExitStack()

    def start_worker(self, *, cached: bool) -> None:
        """Stop the worker, if there is one, and start another, with or without a memory of workflows."""
        self.do(self._worker.aclose())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("worker.Offline", lambda: self.repositories)
            if not cached:
                patch.setattr("worker.Worker", partial(Worker, max_cached_workflows=0))
            self.do(self._worker.enter_async_context(working(self._client, self._settings)))

    def close(self) -> None:
        self.do(self._worker.aclose())
        self.desk.platform.engine.dispose()


class Life(RuleBasedStateMachine):
    """One draft: beside every real answer stands the one the model expects."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.world.repositories.forget()
        self.draft = self.world.desk.draft()
        self.state = "draft"
        self.good: dict[str, bool] = {}
        self.awaiting: set[str] = set()
        self.arrived: set[str] = set()
        """What the repositories show, once somebody asks them."""
        self.today = 0.0
        self.expires = 0.0
        self.reminders: list[float] = []
        self.notices = 0
        self.last: tuple[Any, object] | None = None
        """How to repeat the last update, and how it was answered."""

    def ask(self, update: Any, *arguments: Any) -> Any:
        repeat = partial(update, *arguments, update_id=str(uuid4()))
        answer = self.world.do(repeat())
        self.last = repeat, answer
        return answer

    def save(self, step: str, content: Content, *, good: bool) -> None:
        saved = self.ask(self.draft.send_save, self.draft.command(step, content))
        assert saved.revision == self.draft.revisions[step]
        self.good[step] = good
        self.expires = self.today + EXPIRES
        self.reminders = [self.today + days for days in REMINDERS]

    @initialize(cached=st.booleans(), steps=st.permutations(sorted(GOOD)), saved=st.sampled_from([1, 3, 3]))
    def open(self, cached: bool, steps: list[str], saved: int) -> None:
        self.world.start_worker(cached=cached)
        for step in steps[:saved]:
            self.save(step, GOOD[step], good=True)

    @precondition(lambda self: self.state == "draft")
    @rule(step=STEPS, good=st.sampled_from([True, True, False]))
    def save_a_step(self, step: str, good: bool) -> None:
        self.save(step, (GOOD if good else BAD)[step], good=good)
        if step == "data-files":
            self.awaiting = set()

    @precondition(lambda self: self.state == "draft")
    @rule(repositories=st.sets(REPOSITORIES, min_size=1))
    def save_a_list_with_deposits_on_their_way(self, repositories: set[str]) -> None:
        self.save("data-files", file_list(in_transit=sorted(repositories)), good=True)
        self.awaiting = set(repositories)

    @precondition(lambda self: self.state == "draft")
    @rule(step=STEPS, off=st.sampled_from([-1, 1, 7]))
    def save_what_somebody_else_has_saved_since(self, step: str, off: int) -> None:
        stale = self.draft.command(step, GOOD[step], self.draft.revisions.get(step, 0) + off)
        assert self.world.do(refused(self.draft.send_save(stale))) == "stale_revision"

    @precondition(lambda self: self.state == "draft")
    @rule()
    def submit(self) -> None:
        verdict = self.ask(self.draft.submit)
        assert verdict.awaiting == sorted(self.awaiting)
        assert verdict.accepted == (not self.awaiting and all(self.good.get(step) for step in GOOD))
        if verdict.accepted:
            assert verdict.number not in self.world.numbers
            self.world.numbers.add(verdict.number)
            self.state = "numbered"

    @precondition(lambda self: self.state == "draft" and len(self.good) == len(GOOD))
    @rule()
    def withdraw(self) -> None:
        assert self.ask(self.draft.withdraw).state == "withdrawn"
        self.state = "withdrawn"

    @precondition(lambda self: self.state == "draft" and self.awaiting)
    @rule(repository=REPOSITORIES)
    def tell_that_a_deposit_has_arrived(self, repository: str) -> None:
        self.awaiting.discard(repository)
        assert self.ask(self.draft.check_deposits, repository).awaiting == sorted(self.awaiting)

    @rule(repository=REPOSITORIES, shown=st.booleans())
    def a_repository_shows_a_deposit_or_hides_it(self, repository: str, shown: bool) -> None:
        self.world.repositories.results[repository] = "verified_public" if shown else "not_public"
        (self.arrived.add if shown else self.arrived.discard)(repository)

    @precondition(lambda self: self.state == "draft")
    @rule()
    def ask_the_repositories(self) -> None:
        self.awaiting -= self.arrived
        assert self.ask(self.draft.check_deposits).awaiting == sorted(self.awaiting)

    @precondition(lambda self: self.state == "draft" and self.awaiting)
    @rule()
    def a_day_of_waiting_passes(self) -> None:
        self.pass_time(1.01)
        if self.state == "draft":
            self.awaiting -= self.arrived

    @precondition(lambda self: self.state == "draft" and not self.awaiting)
    @rule(days=st.sampled_from([20.01, 90.01, 155.01]))
    def months_pass(self, days: float) -> None:
        self.pass_time(days)

    def pass_time(self, days: float) -> None:
        """Days that never add up to a whole number: every deadline is clearly before or clearly after."""
        self.today += days
        self.notices += sum(at <= self.today for at in self.reminders)
        self.reminders = [at for at in self.reminders if at > self.today]
        if self.expires <= self.today:
            self.state = "expired"
        open_ = self.world.do(self.world.skipper.fast_forward(self.draft.handle, days * 86_400))
        assert open_ == (self.state == "draft")

    @rule(cached=st.booleans())
    def another_worker_takes_over(self, cached: bool) -> None:
        self.world.start_worker(cached=cached)

    @precondition(lambda self: self.last)
    @rule()
    def repeat_the_last_update(self) -> None:
        assert self.last is not None
        repeat, answer = self.last
        assert self.world.do(repeat()) == answer

    @precondition(lambda self: self.state != "draft")
    @rule()
    def come_too_late(self) -> None:
        with pytest.raises(RPCError, match="already completed"):
            self.world.do(self.draft.submit())

    @invariant()
    def the_database_and_the_workflow_say_what_the_model_says(self) -> None:
        if not self.good:
            return
        waiting = self.state == "draft" and self.awaiting
        row, progress = self.draft.row(), self.world.do(self.draft.progress())
        assert row.state == ("waiting_for_deposit" if waiting else self.state)
        assert (row.number in self.world.numbers) == (self.state == "numbered")
        assert progress.revisions == self.draft.revisions
        assert progress.expires_at == row.expires_at
        assert progress.awaiting == sorted(self.awaiting)
        assert len(self.draft.notices()) == self.notices


@pytest.fixture
def world(settings: Settings, release: Release) -> Iterator[World]:
    with asyncio.Runner() as runner:
        world = World(runner, settings, release)
        yield world
        world.close()


def test_whatever_happens_to_a_draft_it_is_as_the_model_says(world: World) -> None:
    Life.world = world
    run_state_machine_as_test(
        Life,
        settings=hypothesis_settings(
            max_examples=8,
            stateful_step_count=14,
            deadline=None,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink takes too long on real servers
            suppress_health_check=list(HealthCheck),
        ),
    )
