"""``hgrip rules``: from two key pairs to a release in force, proven offline."""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest
from typer.testing import CliRunner

from cli.main import app
from settings import Settings

Run = Callable[..., str]


@pytest.fixture
def run(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command with these settings and its exit code; its output."""
    trusted = tmp_path / "signers.json"
    trusted.write_text('{"signers": {}}')
    for name, value in settings.model_copy(update={"rule_signers": trusted}).environment().items():
        monkeypatch.setenv(name, value)

    def run(command: str, *paths: Path, code: int = 0) -> str:
        result = CliRunner().invoke(app, ["rules", *command.split(), *map(str, paths)])
        assert result.exit_code == code, result.output
        return result.output

    return run


@pytest.fixture
def keys(run: Run, tmp_path: Path) -> dict[str, Path]:
    """An author's and an approver's key, trusted."""
    paths: dict[str, Path] = {}
    trusted: dict[str, object] = {}
    for id_, role in (("policy-1", "author"), ("policy-2", "approver")):
        paths[role] = tmp_path / f"{id_}.key.json"
        printed = run(f"keys new --id {id_} --role {role} --out", paths[role])
        trusted |= json.loads(printed[printed.index("{") :])["signers"]
    (tmp_path / "signers.json").write_text(json.dumps({"signers": trusted}))
    return paths


def test_two_people_bring_a_release_into_force_and_anybody_proves_it(
    run: Run, keys: dict[str, Path], tmp_path: Path
) -> None:
    author, approver = f"--key {keys['author']}", f"--key {keys['approver']}"
    assert "policy-2" in run("keys list")
    run("approve 2026.11.1 " + approver, code=3)
    run("publish " + author)
    assert "已在库中" in run("publish " + author)
    run("approve 2026.11.1 " + author, code=5)
    run("schedule 2026.11.1 " + approver, code=4)
    run("approve 2026.11.1 " + approver)
    run("schedule 2026.11.1 --from 2020-01-01 " + approver, code=5)
    run("schedule 2026.11.1 " + approver)
    run("withdraw 2026.11.1 " + author, code=5)
    entry = json.loads(run("list --json"))[0]
    assert (entry["version"], entry["status"]) == ("2026.11.1", "in_force")
    assert json.loads(run(f"show --json {entry['digest'][:12]}")) == entry
    run("export 2026.11.1", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "schemas" / "project.schema.json").read_text())["$id"]
    bundle = tmp_path / "out" / "rulebook-2026.11.1.zip"
    assert "SHA256:" in run("verify", bundle)
    assert "The signatures hold" in run(f"verify --signers {tmp_path / 'signers.json'}", bundle)
    bundle.write_bytes(bundle.read_bytes()[:-100])
    run("verify", bundle, code=5)


def test_a_rollback_is_a_new_release_for_others_to_approve(run: Run, keys: dict[str, Path]) -> None:
    author, approver = f"--key {keys['author']}", f"--key {keys['approver']}"
    run("publish " + author)
    run("rollback 2026.11.1 --as 2026.11.2 " + author)
    run("approve 2026.11.2 " + approver)
    run("schedule 2026.11.2 " + approver)
    listed = {entry["version"]: entry for entry in json.loads(run("list --json"))}
    assert listed["2026.11.2"]["status"] == "in_force"
    assert listed["2026.11.2"]["acts"][0]["restores"] == listed["2026.11.1"]["digest"]
    run("withdraw 2026.11.1 " + author)
    assert json.loads(run("list --json"))[-1]["status"] == "withdrawn"


def test_rules_whose_cases_fail_are_not_published(run: Run, keys: dict[str, Path], tmp_path: Path) -> None:
    folder = copytree("rules", tmp_path / "rules")
    path = folder / "repositories" / "gwh.yaml"
    path.write_text(path.read_text().replace("GWH", "GWX"))
    output = run(f"publish --key {keys['author']}", folder, code=1)
    assert "gwh" in output
    assert json.loads(run("list --json")) == []


def test_a_key_that_is_there_is_not_overwritten_and_a_name_is_no_id(
    run: Run, keys: dict[str, Path], tmp_path: Path
) -> None:
    before = keys["author"].read_bytes()
    run("keys new --id policy-1 --role author --out", keys["author"], code=4)
    run("keys new --id 张三 --role author --out", tmp_path / "other.json", code=2)
    assert keys["author"].read_bytes() == before
    assert not (tmp_path / "other.json").exists()


@pytest.mark.parametrize("content", [None, "not json", '{"signers": {"policy-1": 7}}'])
def test_trusted_keys_that_cannot_be_read_are_told_by_their_file(
    run: Run, keys: dict[str, Path], tmp_path: Path, content: str | None
) -> None:
    trusted = tmp_path / "signers.json"
    trusted.unlink() if content is None else trusted.write_text(content)
    for command in ("list", "keys list", f"publish --key {keys['author']}"):
        assert str(trusted) in run(command, code=6)


def test_rules_that_contradict_each_other_are_not_published(
    run: Run, keys: dict[str, Path], tmp_path: Path
) -> None:
    folder = copytree("rules", tmp_path / "rules")
    broken = Path("tests/workbench/broken/never-speaks.yaml").read_text("utf-8")
    (folder / "requirements" / "never-speaks.yaml").write_text(broken, "utf-8")
    assert "“impossible-count”永远不会作出提示" in run(f"publish --key {keys['author']}", folder, code=1)
    assert json.loads(run("list --json")) == []


def test_a_database_that_is_away_is_told_without_its_address(
    run: Run, keys: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HGRIP_DATABASE_URL", "postgresql+psycopg://hgrip:secret-word@127.0.0.1:1/hgrip")
    for command in ("list", "show 2026.11.1", f"approve 2026.11.1 --key {keys['approver']}"):
        output = run(command, code=6)
        assert "PostgreSQL" in output
        assert "secret-word" not in output
