"""The ``hgrip`` command as a person meets it."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from embedded.platform import REPOSITORY

HGRIP = [sys.executable, "-c", "from cli.main import app; app()"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """No settings but those of a platform run in ``tmp_path``."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HGRIP_")}
    return {**inherited, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}


def processes_with(word: str) -> list[str]:
    """Command lines of living processes that contain a word."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if word in command:
            found.append(command)
    return found


def test_run_serves_until_ctrl_c_and_leaves_no_process(tmp_path: Path, environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [*HGRIP, "run", "--folder", "var"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as platform:
        try:
            assert platform.stdout is not None
            shown = ""
            while "/docs" not in shown:
                line = platform.stdout.readline()
                assert line, f"ended before it was up: {shown}"
                shown += line
            address = re.search(r"http://\S+", shown)
            assert address is not None
            with urllib.request.urlopen(address.group()) as answer:
                assert answer.status == 200
            beside = [*HGRIP, "migrate"]
            subprocess.run(beside, cwd=tmp_path, env=environment, check=True)
            assert processes_with(str(tmp_path)), "the search below must be able to find something"
        finally:
            platform.send_signal(signal.SIGINT)
        platform.stdout.read()
    assert platform.returncode == 0
    assert processes_with(str(tmp_path)) == []


def test_a_command_without_settings_names_them_and_shows_no_traceback(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    outcome = subprocess.run(
        [*HGRIP, "worker"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 1
    assert "HGRIP_DATABASE_URL" in outcome.stdout
    assert "Traceback" not in outcome.stdout + outcome.stderr
