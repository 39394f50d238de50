"""The whole platform as child processes, with stand-ins for worker and API."""

import os
import stat
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import embedded.platform
import settings as configuration
from embedded.platform import Platform
from embedded.process import EmbeddedError

WORKER = """
import pathlib, time
import settings
loaded = settings.load()
with pathlib.Path(loaded.keys_file).with_name("workers").open("a") as starts:
    starts.write("started\\n")
time.sleep(600)
"""
API = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

def create_app():
    return app
"""


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "__init__.py").touch()
    (tmp_path / "api" / "app.py").write_text(API)
    (tmp_path / "worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", str(embedded.platform.REPOSITORY))
    monkeypatch.setattr(embedded.platform, "REPOSITORY", tmp_path)
    with embedded.platform.running(tmp_path / "var") as running:
        yield running


def starts(platform: Platform, expected: int) -> int:
    """How often the worker has come up, waiting for the expected number."""
    path = platform.settings.keys_file.with_name("workers")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        count = path.read_text().count("\n") if path.exists() else 0
        if count >= expected:
            return count
        time.sleep(0.05)
    raise AssertionError("the worker did not come up")


def test_worker_and_api_start_are_killed_and_start_again(platform: Platform) -> None:
    platform.start_worker()
    platform.start_api()
    with urllib.request.urlopen(platform.api_url) as answer:
        assert answer.status == 204
    assert starts(platform, 1) == 1
    platform.kill_worker()
    platform.start_worker()
    assert starts(platform, 2) == 2
    platform.check()


def test_a_process_that_dies_by_itself_is_named_with_its_log(platform: Platform) -> None:
    platform.start_worker()
    starts(platform, 1)
    platform.check()
    os.kill(platform.pid("worker"), 9)
    deadline = time.monotonic() + 10
    with pytest.raises(EmbeddedError, match=r"worker died; see .*worker\.log"):  # noqa: PT012 it takes a moment
        while time.monotonic() < deadline:
            platform.check()
            time.sleep(0.05)


def test_commands_in_another_terminal_find_the_running_platform_and_nobody_else_may_read_its_secrets(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = platform.settings.keys_file.with_name("hgrip.env")
    monkeypatch.setenv("HGRIP_ENV_FILE", str(file))
    assert configuration.load() == platform.settings
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
