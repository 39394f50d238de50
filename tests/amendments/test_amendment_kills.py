"""kill -9 of the worker around each commit of a withdrawal and of a correction: one effect, one answer."""

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from amending import correct, opened, save, shown, title, versions, withdraw
from eligibility_desk import Desk
from http_deployment import PROJECT, REPOSITORY, complete_draft, keyed, number
from temporalio.client import Client, WithStartWorkflowOperation

from embedded.process import Child
from settings import Settings
from store.answer_keys import rotate

MORTAL_WORKER = REPOSITORY / "tests" / "chaos" / "mortal_worker.py"
LAST_WORDS = "killed as planned"
PATIENCE = 60
WAIT = frozenset({202, 503})
"""Answers that ask to repeat the same request."""
BEFORE_AND_AFTER = pytest.mark.parametrize("moment", ["before_commit", "after_commit"])
SOON = timedelta(seconds=1)
"""After so long the server misses a dead worker."""


@pytest.fixture
def lone_desk(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk in a database of the test's own, whose workers can be changed."""
    start = Client.start_workflow

    def soon(*args: Any, **options: Any) -> Any:
        return start(*args, **options, task_timeout=SOON)

    monkeypatch.setattr(Client, "start_workflow", soon)
    first = partial(WithStartWorkflowOperation, task_timeout=SOON)
    monkeypatch.setattr("api.commands.WithStartWorkflowOperation", first)
    rotate(tmp_path / "answer-keys.json")
    desk = Desk(settings.model_copy(update={"answer_keys": tmp_path / "answer-keys.json"}))
    desk.start()
    yield desk
    desk.stop()


@contextmanager
def mortal(desk: Desk, activity: str, moment: str, folder: Path) -> Iterator[Child]:
    """A worker that dies the first time that activity reaches that moment."""
    child = Child(
        "mortal worker",
        [sys.executable, MORTAL_WORKER, activity, moment],
        folder / "mortal.log",
        environment={**desk.settings.environment(), "PYTHONPATH": str(REPOSITORY)},
    )
    try:
        yield child
    finally:
        child.kill()


def insists(ask: Callable[[], httpx2.Response]) -> httpx2.Response:
    """Repeat the very same request for as long as the answer asks for it."""
    deadline = time.monotonic() + PATIENCE
    while (answer := ask()).status_code in WAIT:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.2)
    return answer


def killed_and_done(
    desk: Desk, activity: str, moment: str, folder: Path, ask: Callable[[], httpx2.Response], done: str
) -> httpx2.Response:
    """What is answered although the worker dies in it; `done` tells whether the effect is there."""
    desk.stop_worker()
    with mortal(desk, activity, moment, folder) as doomed, ThreadPoolExecutor(1) as pool:
        asking = pool.submit(insists, ask)
        deadline = time.monotonic() + PATIENCE
        while doomed.alive:
            assert time.monotonic() < deadline, doomed.log.read_text()
            time.sleep(0.02)
        assert LAST_WORDS in doomed.log.read_text(), doomed.log.read_text()
        assert desk.query(done) == [(moment == "after_commit",)]
        desk.start_worker()
        return asking.result(PATIENCE)


@BEFORE_AND_AFTER
def test_a_number_is_withdrawn_once(lone_desk: Desk, tmp_path: Path, moment: str) -> None:
    with lone_desk.account("zhang") as zhang:
        id_ = complete_draft(zhang)
        number(zhang, id_)
        key, done = str(uuid4()), "SELECT bool_or(state = 'withdrawn') FROM backup"
        ask = partial(withdraw, zhang, id_, key)
        answer = killed_and_done(lone_desk, "withdraw_number", moment, tmp_path, ask, done)
        assert answer.status_code == 200, answer.text
        assert (
            withdraw(zhang, id_, key).json() == answer.json() == shown(zhang, id_, "/versions")["withdrawal"]
        )
    assert lone_desk.query("SELECT count(*) FROM amendment WHERE done_at IS NOT NULL") == [(1,)]


@BEFORE_AND_AFTER
def test_one_correction_is_begun(lone_desk: Desk, tmp_path: Path, moment: str) -> None:
    with lone_desk.account("zhang") as zhang:
        id_ = complete_draft(zhang)
        number(zhang, id_)
        key, done = str(uuid4()), "SELECT bool_or(corrects_id IS NOT NULL) FROM backup"
        ask = partial(correct, zhang, id_, key)
        answer = killed_and_done(lone_desk, "open_correction", moment, tmp_path, ask, done)
        assert answer.status_code == 201, answer.text
        draft = answer.json()["backup_id"]
        assert correct(zhang, id_, key).json() == answer.json()
        assert save(zhang, draft, "project", PROJECT, 1).status_code == 200, "its workflow knows of it"
    assert lone_desk.query("SELECT count(*) FROM backup WHERE corrects_id IS NOT NULL") == [(1,)]


@BEFORE_AND_AFTER
def test_contents_are_exchanged_once(lone_desk: Desk, tmp_path: Path, moment: str) -> None:
    with lone_desk.account("zhang") as zhang:
        id_ = complete_draft(zhang)
        given = number(zhang, id_)
        draft = opened(zhang, id_)
        assert save(zhang, draft, "project", PROJECT | {"title": "更正后的题目"}, 1).status_code == 200
        key, done = str(uuid4()), "SELECT bool_or(version = 2) FROM backup"

        def submit() -> httpx2.Response:
            return zhang.post(f"/v1/backups/{draft}/submission", headers=keyed(key))

        answer = killed_and_done(lone_desk, "seal_backup", moment, tmp_path, submit, done)
        assert answer.json()["number"] == given
        assert submit().json() == answer.json()
        assert (title(zhang, id_), title(zhang, draft)) == ("更正后的题目", PROJECT["title"])
        assert [each["version"] for each in versions(zhang, id_)] == [2, 1]
    assert lone_desk.query("SELECT sum(last) FROM number_serial") == [(1,)]
