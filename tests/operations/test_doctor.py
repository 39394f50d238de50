"""``hgrip doctor`` and ``hgrip workers`` on a real deployment, whole and with each part missing."""

import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from http_deployment import Deployment, keyed
from typer.testing import CliRunner, Result

from cli.main import app
from embedded.process import free_port
from store.answer_keys import rotate
from wire.keys import KeyRing

Run = Callable[..., Result]


@pytest.fixture
def run(plant: Deployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """Run a command with the deployment's settings, some of them changed."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str, **changes: str) -> Result:
        for name, value in {**plant.settings.environment(), **changes}.items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(app, [*arguments, "--json"])

    yield invoke
    for name in plant.settings.environment():
        os.environ.pop(name, None)


def states(result: Result) -> dict[str, Any]:
    return {row["check"]: row for row in json.loads(result.stdout)}


def failed(result: Result) -> set[str]:
    return {name for name, row in states(result).items() if row["state"] == "failed"}


def test_a_whole_deployment_lacks_nothing_and_what_it_lacks_is_named_with_the_command(run: Run) -> None:
    assert failed(run("doctor")) == {"schedules"}
    assert states(run("doctor"))["schedules"]["mend"] == "hgrip schedules apply"
    assert run("schedules", "list").exit_code == 1
    applied = run("schedules", "apply")
    assert set(json.loads(applied.stdout).values()) == {"created"}
    whole = run("doctor")
    assert (whole.exit_code, failed(whole)) == (0, set())
    assert states(whole)["sms"]["state"] == "attention"
    assert run("schedules", "list").exit_code == 0


def test_each_thing_that_is_missing_is_the_one_that_is_named(
    run: Run, plant: Deployment, tmp_path: Path
) -> None:
    readable, other = tmp_path / "readable.json", tmp_path / "other.json"
    for path in (readable, other):
        KeyRing.generate().save(path)
    readable.write_bytes(plant.settings.keys_file.read_bytes())
    readable.chmod(0o644)
    assert stat.S_IMODE(readable.stat().st_mode) == 0o644
    nowhere = f"127.0.0.1:{free_port()}"
    missing: dict[str, dict[str, str]] = {
        "keys": {"HGRIP_KEYS_FILE": str(readable)},
        "signers": {"HGRIP_RULE_SIGNERS": str(tmp_path / "none.json")},
        "sign_in": {"HGRIP_JWKS": str(tmp_path / "none.json")},
        "workers": {"HGRIP_TASK_QUEUE": "nobody's"},
        "namespace": {"HGRIP_TEMPORAL_NAMESPACE": "none"},
        "database": {"HGRIP_DATABASE_URL": f"postgresql+psycopg://nobody@{nowhere}/none"},
    }
    for check, changes in missing.items():
        result = run("doctor", **changes)
        assert result.exit_code == 1, check
        assert check in failed(result), check
        row = states(result)[check]
        assert row["mend"], check
        assert row["zh"], check
        assert row["en"].isascii(), check


def test_an_old_schema_and_keys_that_are_gone_are_seen(
    run: Run, plant: Deployment, database: str, tmp_path: Path
) -> None:
    with psycopg.connect(database.replace("+psycopg", "")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0009'")
    old = run("doctor", HGRIP_DATABASE_URL=database)
    assert {"database", "rulebook"} <= failed(old)
    assert states(old)["database"]["mend"] == "hgrip migrate"
    ring = KeyRing.load(plant.settings.keys_file)
    other = ring.column.rotated()
    only_new = other.model_copy(update={"keys": {other.primary: other.keys[other.primary]}})
    ring.model_copy(update={"column": only_new}).save(tmp_path / "new.json")
    with plant.account("zhang") as zhang:
        assert zhang.post("/v1/me/sign-ins", headers=keyed()).status_code == 200
    assert failed(run("doctor", HGRIP_KEYS_FILE=str(tmp_path / "new.json"))) >= {"keys_in_use"}


def test_without_settings_it_says_which_are_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == 1
    (row,) = json.loads(result.stdout)
    assert "HGRIP_DATABASE_URL" in row["en"]


def test_workers_are_listed_with_their_slots_and_a_queue_without_any_is_told(run: Run) -> None:
    until = time.monotonic() + 75
    while not (told := json.loads(run("workers").stdout))["workers"]:
        assert time.monotonic() < until, "a worker is heard of within a minute"
        time.sleep(1)
    (worker, *_) = told["workers"]
    assert worker["running"]
    assert worker["slots"].keys() == {"workflow", "activity", "local activity"}
    assert {queue["kind"] for queue in told["queues"] if queue["pollers"]} == {"workflow", "activity"}
    alone = run("workers", HGRIP_TASK_QUEUE="nobody's")
    assert alone.exit_code == 1
    assert json.loads(alone.stdout)["workers"] == []


def test_for_people_it_says_the_same_in_words(run: Run, plant: Deployment, tmp_path: Path) -> None:
    rotate(tmp_path / "answers.json")
    for name, value in plant.settings.environment().items():
        os.environ[name] = value
    shown = CliRunner().invoke(app, ["doctor"]).stdout
    assert "数据库" in shown
    assert "PostgreSQL" in shown
    assert "Database".lower() in CliRunner().invoke(app, ["doctor", "--lang", "en"]).stdout.lower()
    assert "积压" in CliRunner().invoke(app, ["workers"]).stdout
