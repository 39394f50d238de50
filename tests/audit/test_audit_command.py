"""``hgrip audit``: what whoever keeps a copy of the trail does with it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from audit_ground import write
from sqlalchemy import Engine
from typer.testing import CliRunner

from cli.main import app
from settings import Settings
from store.answer_keys import AnswerKeys, rotate
from store.sealing import seal_waiting, sign_head

Run = Callable[..., str]
EVENTS = 12
COVERED = 9
"""Under the head; three more are sealed above it."""


@pytest.fixture
def run(settings: Settings, answer_keys_file: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command with these settings and its exit code; its output."""
    configured = settings.model_copy(update={"answer_keys": answer_keys_file})
    for name, value in configured.environment().items():
        monkeypatch.setenv(name, value)

    def run(command: str, *paths: Path | str, code: int = 0) -> str:
        result = CliRunner().invoke(app, ["audit", *command.split(), *map(str, paths)])
        assert result.exit_code == code, result.output
        return result.output

    return run


@pytest.fixture
def sealed(engine: Engine, keys: AnswerKeys) -> None:
    """A trail with a head and some events above it."""
    write(engine, COVERED)
    sign_head(engine, keys)
    write(engine, EVENTS - COVERED)
    seal_waiting(engine)


@pytest.fixture
def public_file(keys: AnswerKeys, tmp_path: Path) -> Path:
    """What /.well-known/jwks.json says, saved."""
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": keys.published()}))
    return path


def faults(output: str) -> list[tuple[str, int | None, int | None]]:
    said = json.loads(output)["faults"]
    return [(fault["code"], fault["seq"], fault["event_id"]) for fault in said]


def away(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on there is no database and are no settings."""
    for name in ("HGRIP_DATABASE_URL", "HGRIP_ANSWER_KEYS"):
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("sealed")
def test_an_untouched_trail_verifies_in_the_database_and_in_a_file_without_it(
    run: Run, public_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = {"size": EVENTS, "covered": COVERED, "faults": []}
    assert json.loads(run("verify --json")) == expected
    assert "完整无误" in run("verify")
    assert "tail cut off" in run("verify")
    file = tmp_path / "trail.ndjson"
    run("export", file)
    run("export", file, code=4)
    away(run, monkeypatch)
    assert json.loads(run(f"verify --json --keys {public_file} --file", file)) == expected
    run("verify --file", file, code=6)  # whose keys?
    run("verify", code=6)


@pytest.mark.usefixtures("sealed")
def test_a_row_changed_in_the_database_is_named(run: Run, settings: Settings) -> None:
    url = settings.database_url.get_secret_value().replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE audit_event SET reason = 'other' WHERE id = 5")
    assert faults(run("verify --json", code=1)) == [("event_changed", 4, 5)]
    assert "#4 事件/event 5" in run("verify", code=1)


TAMPERINGS: dict[str, tuple[Callable[[list[str]], list[str]], tuple[str, int | None]]] = {
    "edited": (
        lambda lines: [*lines[:5], lines[5].replace('"test"', '"other"'), *lines[6:]],
        ("event_changed", 4),
    ),
    "deleted": (lambda lines: [*lines[:5], *lines[6:]], ("seal_missing", 4)),
    "doubled": (lambda lines: [*lines[:5], lines[5], *lines[5:]], ("seal_misplaced", 4)),
    "swapped": (lambda lines: [*lines[:5], lines[6], lines[5], *lines[7:]], ("seal_missing", 4)),
    "cut off": (lambda lines: lines[:6], ("cut_off", COVERED)),
    "without its head": (lambda lines: lines[1:6], ("cut_off", COVERED)),
    "another head": (
        lambda lines: [lines[0][:-9] + "AAAA" + lines[0][-5:], *lines[1:]],
        ("head_unreadable", 1),
    ),
    "a head further down": (lambda lines: [*lines, lines[0]], ("line_unreadable", EVENTS + 2)),
    "no JSON": (lambda lines: [*lines[:5], "garbage\n", *lines[6:]], ("line_unreadable", 6)),
    "nested": (lambda lines: [*lines[:5], "[" * 100_000 + "\n", *lines[6:]], ("line_unreadable", 6)),
    "said twice": (
        lambda lines: [*lines[:5], lines[5].replace('"act"', '"act":"x","act"'), *lines[6:]],
        ("line_unreadable", 6),
    ),
    "blanks": (lambda lines: [*lines[:5], " " + lines[5], *lines[6:]], ("line_unreadable", 6)),
    "half a hash": (
        lambda lines: [*lines[:5], lines[5].replace('"chain":"', '"chain":"00'), *lines[6:]],
        ("line_unreadable", 6),
    ),
    "empty": (lambda lines: [], ("cut_off", COVERED)),
}
"""What somebody did to the lines of a file, the first of which is a head; the first fault that is found."""


@pytest.mark.usefixtures("sealed")
@pytest.mark.parametrize("what", TAMPERINGS)
def test_a_file_that_was_tampered_with_is_found_out(
    run: Run, public_file: Path, tmp_path: Path, what: str
) -> None:
    """The newest head was kept elsewhere, as the reference asks for."""
    kept = tmp_path / "heads.txt"
    kept.write_text(run("head"))
    file = tmp_path / "trail.ndjson"
    run("export", file)
    tampered, fault = TAMPERINGS[what]
    lines = tampered(file.read_text("utf-8").splitlines(keepends=True))
    file.write_text("".join(lines), "utf-8")
    found = faults(run(f"verify --json --keys {public_file} --heads {kept} --file", file, code=1))
    assert found[0][:2] == fault


def test_there_is_no_head_before_one_was_signed(run: Run, engine: Engine) -> None:
    run("head", code=3)
    write(engine, 1)
    seal_waiting(engine)
    run("prove 1", code=3)
    run("prove BF1999010100001", code=3)
    run("prove", code=2)


@pytest.mark.usefixtures("sealed")
def test_a_later_head_is_proven_to_continue_an_older_one(run: Run, engine: Engine, keys: AnswerKeys) -> None:
    old = json.loads(run("head --json"))
    assert sign_head(engine, keys) == EVENTS
    new = json.loads(run(f"head --json --since {old['size']}"))
    assert (old["size"], new["size"]) == (COVERED, EVENTS)
    assert new["path"]
    run(f"head --since {EVENTS + 1}", code=4)
    assert run("head").strip() == new["jws"]


@pytest.mark.usefixtures("sealed")
def test_a_proof_is_checked_without_database_and_settings(
    run: Run, public_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof: dict[str, Any] = json.loads(run("prove 4"))
    assert (proof["event"]["id"], proof["seq"], proof["size"]) == (4, 3, COVERED)
    others = tmp_path / "others.json"
    rotate(others)
    stranger = tmp_path / "stranger.json"
    stranger.write_text(json.dumps({"keys": AnswerKeys.load(others).published()}))
    away(run, monkeypatch)
    file = tmp_path / "proof.json"
    check = f"prove --keys {public_file} --check"
    for said in (proof, {"number": "BF2026112300001", "audit": proof}):  # a certificate has it inside
        file.write_text(json.dumps(said))
        assert "证明成立" in run(check, file)
    run(f"prove --keys {stranger} --check", file, code=1)
    event = proof["event"] | {"act": "other"}
    lies: list[dict[str, Any]] = [{"seq": 4}, {"size": 8}, {"path": []}, {"event": event}]
    for changed in lies:
        file.write_text(json.dumps(proof | changed))
        assert "证明不成立" in run(check, file, code=1)
    for nothing in ("", "[]", "{}", '{"audit": null}', "\udcff"):
        file.write_text(nothing, errors="surrogateescape")
        run(check, file, code=3)
    run(check, tmp_path / "none.json", code=3)
