"""``hgrip sms inbox`` on a real database."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import sending_by
from sms_stage import CODE, PHONE, Stage
from sqlalchemy import Engine
from typer.testing import CliRunner

from activities.sms.inbox import Inbox
from cli.main import app
from settings import Settings

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def inbox(settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Stage:
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    return Stage(settings, engine, Inbox(engine))


def arrives(inbox: Stage, code: str) -> None:
    inbox.attempt(inbox.enqueue(code=code))


def test_it_shows_messages_newest_first_with_masked_numbers(inbox: Stage) -> None:
    for code in ("111111", "222222", "333333"):
        arrives(inbox, code)
    shown = CliRunner().invoke(app, ["sms", "inbox", "--limit", "2"])
    assert shown.exit_code == 0
    assert "仅限开发环境" in shown.stderr
    assert shown.stdout.index("333333") < shown.stdout.index("222222")
    assert "111111" not in shown.stdout
    assert PHONE.removeprefix("+86") not in shown.output


def test_it_follows_new_messages_as_lines_of_json_until_it_is_interrupted(inbox: Stage) -> None:
    arrives(inbox, "111111")
    command = [sys.executable, "-c", "from cli.main import app; app()", "sms", "inbox", "--watch", "--json"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout
        try:
            assert "111111" in json.loads(watching.stdout.readline())["text"]
            arrives(inbox, CODE)
            assert CODE in json.loads(watching.stdout.readline())["text"]
        finally:
            watching.send_signal(signal.SIGINT)
        assert watching.wait() == 0


def test_where_a_carrier_sends_there_is_no_inbox(
    inbox: Stage, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in sending_by(settings, "aliyun").environment().items():
        monkeypatch.setenv(name, value)
    refused = CliRunner().invoke(app, ["sms", "inbox"])
    assert refused.exit_code == 3
    assert "aliyun" in refused.output
