"""``hgrip ops`` as an operator types it, against the real API."""

import json
from typing import Any

import pytest
from http_deployment import keyed
from operators_room import Station
from typer.testing import CliRunner, Result

from cli.main import app
from cli.terminal import ExitCode


class Shell:
    """A terminal where the operator is signed in."""

    def __init__(self, station: Station, token: str) -> None:
        self.station, self.token = station, token

    def types(self, *words: str, answer: str | None = None, token: str | None = None) -> Result:
        environment = {"HGRIP_API_URL": self.station.deployment.url, "HGRIP_LANG": "zh", "COLUMNS": "300"}
        environment["HGRIP_TOKEN"] = self.token if token is None else token
        return CliRunner().invoke(app, ["ops", *words], input=answer, env=environment)

    def reads(self, *words: str) -> Any:
        answer = self.types(*words, "--json")
        assert answer.exit_code == ExitCode.OK, answer.output
        return json.loads(answer.stdout)


@pytest.fixture
def shell(station: Station) -> Shell:
    return Shell(station, station.deployment.issuer.token("operator"))


def overdue(station: Station, *, unit: str = "") -> str:
    """A draft that should have expired."""
    backup = station.draft()
    station.deployment.query(
        "UPDATE backup SET expires_at = now() - interval '1 hour' WHERE id = %s RETURNING 1", backup
    )
    return backup


def test_what_is_stuck_is_listed_and_shown_in_words(station: Station, shell: Shell) -> None:
    backup = overdue(station)
    station.scan()
    listed = shell.reads("stuck", "--cause", "timer_past_due", "--limit", "1000")
    assert backup in [row["case_id"] for row in listed["stuck"]]
    told = shell.types("stuck", "--cause", "timer_past_due", "--limit", "1000").stdout
    assert backup in told
    assert "到期未处理" in told
    shown = shell.types("show", backup).stdout
    assert "hgrip doctor" in shown
    assert shell.reads("show", backup)["workflow"] == "running"
    assert backup in json.dumps(shell.reads("timeline", backup))


def test_one_case_is_paused_reset_handed_on_and_resumed(station: Station, shell: Shell) -> None:
    backup = station.draft()
    assert shell.reads("pause", backup, "--reason", "演练")["workflow"] == "paused"
    assert shell.types("pause", backup, "--reason", "演练").exit_code == ExitCode.CONFLICT
    assert shell.reads("resume", backup, "--reason", "演练")["workflow"] == "running"
    assert (
        shell.reads("support", backup, "--ticket", "KF-7", "--reason", "演练")["acts"][0]["result"] == "done"
    )
    assert shell.reads("support", backup, "--reason", "演练")["acts"][0]["action"] == "take_back"
    event = str(station.case(backup)["reset_points"][0]["event_id"])
    declined = shell.types("reset", backup, "--event", event, "--reason", "演练", answer="n\n")
    assert declined.exit_code == ExitCode.REFUSED
    assert (
        shell.reads("reset", backup, "--event", event, "--reason", "演练", "--yes")["workflow"] == "running"
    )
    wrong = shell.types("reset", backup, "--event", "1", "--reason", "演练", "--yes")
    assert (wrong.exit_code, "最近的可用事件" in wrong.output) == (ExitCode.REFUSED, True)


def test_a_batch_is_shown_and_goes_on_when_its_number_is_typed(station: Station, shell: Shell) -> None:
    backups = [overdue(station) for _ in range(2)]
    station.scan()
    query = ("pause", "--cause", "timer_past_due", "--reason", "演练")
    total = shell.reads("stuck", "--cause", "timer_past_due")["total"]
    mistyped = shell.types(*query, answer=f"{total + 1}\n")
    assert (mistyped.exit_code, "未作处理" in mistyped.output) == (ExitCode.CONFLICT, True)
    assert station.case(backups[0])["workflow"] == "running"
    done = shell.types(*query, "--json", "--count", str(total))
    assert done.exit_code == ExitCode.OK, done.output
    assert json.loads(done.stdout) == {"done": total, "refused": []}
    assert {station.case(backup)["workflow"] for backup in backups} == {"paused"}
    again = shell.types(*query, "--count", str(total))
    assert (again.exit_code, "nothing_to_do" in again.output) == (ExitCode.REFUSED, True)
    resumed = shell.types("resume", *query[1:], answer=f"{total}\n")
    assert resumed.exit_code == ExitCode.OK, resumed.output
    for backup in backups:
        station.person.post(f"/v1/backups/{backup}/withdrawal", headers=keyed())
    station.scan()


def test_what_is_typed_wrong_or_not_allowed_ends_with_a_sentence_and_its_code(
    station: Station, shell: Shell
) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    person = station.deployment.issuer.token("zhang")
    for words, token, code in (
        (("stuck",), "", ExitCode.USAGE),
        (("stuck",), "x", ExitCode.REFUSED),
        (("stuck",), person, ExitCode.REFUSED),
        (("show", unknown), None, ExitCode.NOT_FOUND),
        (("show", "x"), None, ExitCode.REFUSED),
        (("retry", "--reason", "演练"), None, ExitCode.USAGE),
        (("retry", unknown, "--cause", "blocked", "--reason", "演练"), None, ExitCode.USAGE),
        (("unblock", unknown, "--how", "x", "--reason", "演练"), None, ExitCode.USAGE),
        (("stuck", "--cause", "x"), None, ExitCode.REFUSED),
    ):
        answer = shell.types(*words, token=token)
        assert answer.exit_code == code, (words, answer.output)
        assert answer.output.strip()
        assert "Traceback" not in answer.output


def test_an_api_that_is_not_there_is_said_to_be_down(shell: Shell) -> None:
    answer = CliRunner().invoke(
        app, ["ops", "--api", "http://127.0.0.1:9", "stuck"], env={"HGRIP_TOKEN": shell.token}
    )
    assert (answer.exit_code, "HGRIP_API_URL" in answer.output) == (ExitCode.DOWN, True)
