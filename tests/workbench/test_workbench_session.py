"""The session that docs/how-to/change-a-rule.md shows. ``HGRIP_RECORD=1`` writes it there anew."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner
from workbench_stage import WorkbenchStage

from cli.main import app
from rules.engine.release import Release
from settings import Settings
from store.signers import APPROVER, AUTHOR

Edited = Callable[..., Path]

PAGE = Path(__file__).parents[2] / "docs/how-to/change-a-rule.md"
START, END = "<!-- session -->\n```console\n", "```\n<!-- end of session -->"
RULE = "requirements/security-review.yaml"
CASES = "requirements/security-review.cases.yaml"


class Recorder:
    """Runs commands as a person would and writes down what they answer."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def runs(self, command: str, code: int = 0, shown: str = "") -> None:
        result = CliRunner().invoke(app, ["rules", *command.split()])
        assert result.exit_code == code, result.output
        lines = [line.rstrip() for line in result.stdout.splitlines()]
        self.lines += [f"$ hgrip rules {shown or command}", *lines]

    def says(self, line: str) -> None:
        self.lines.append(line)

    @property
    def text(self) -> str:
        text = "\n".join(self.lines) + "\n"
        text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", "…", text)
        text = re.sub(r"[0-9a-f]{12,64}", "…", text)
        text = re.sub(r"BF[0-9]{13}", "BF…", text)
        text = re.sub(r"[0-9,]+ (条规则|条记录|个矩阵格|个用例|处，0|处已说明)", r"… \1", text)
        return re.sub(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "YYYY-MM-DD", text)


def _replace(path: Path, *pairs: tuple[str, str]) -> None:
    text = path.read_text("utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, "utf-8")


def test_the_security_review_threshold_goes_from_500_to_300_persons(
    settings: Settings, release: Release, edited: Edited, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = WorkbenchStage(settings, tmp_path)
    stage.publish(release)
    before = stage.draft(individual_count=400, sample_count=400)
    assert stage.submit(before).accepted
    rules = edited()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "110")
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    author, approver = (settings.rule_signers.with_name(f"{name}.key.json") for name in (AUTHOR, APPROVER))
    session = Recorder()
    session.says(f"# 400 人的全外显子组备份已编号，由 {stage.release_of(before)} 判断")
    session.says("# 编辑 rules/requirements/security-review.yaml：exclusiveMinimum: 500 → 300")
    _replace(rules / RULE, ("exclusiveMinimum: 500", "exclusiveMinimum: 300"))
    session.runs("check", code=1)
    session.says("# 编辑用例 499、500、501 → 299、300、301；编辑说明里的人数；rulebook.yaml 里改版本号")
    _replace(
        rules / CASES, ("499", "299"), ("500 例", "300 例"), ("_count: 500", "_count: 300"), ("501", "301")
    )
    _replace(rules / RULE, ("大于 500", "大于 300"), ("ore than 500", "ore than 300"))
    _replace(rules / "rulebook.yaml", ("version: 2026.11.1", "version: 2026.11.2"))
    session.runs("check")
    session.runs("test --coverage --mutate")
    session.runs("diff 2026.11.1 rules", code=1)
    session.runs("impact", code=1)
    session.runs(f"publish --key {author}", shown="publish --key author.key.json")
    session.runs(f"approve 2026.11.2 --key {approver}", shown="approve 2026.11.2 --key approver.key.json")
    session.runs(f"schedule 2026.11.2 --key {approver}", shown="schedule 2026.11.2 --key approver.key.json")
    after = stage.draft(individual_count=400, sample_count=400)
    assert stage.submit(after).accepted
    assert (stage.release_of(before), stage.release_of(after)) == ("2026.11.1", "2026.11.2")
    session.says(f"# 再提交一份 400 人的备份：由 {stage.release_of(after)} 判断，告知须先通过安全审查")
    session.says(f"# 先前编号的那份仍显示 {stage.release_of(before)}")
    stage.close()
    page = PAGE.read_text("utf-8")
    before_it, _, rest = page.partition(START)
    shown, _, after_it = rest.partition(END)
    if os.environ.get("HGRIP_RECORD"):
        PAGE.write_text(f"{before_it}{START}{session.text}{END}{after_it}", "utf-8")
        shown = session.text
    assert session.text == shown
