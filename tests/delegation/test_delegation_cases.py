"""The cases beside ``delegation.yaml`` hold, and one that does not is told."""

import shutil
from pathlib import Path

from rules.engine.cases import run_cases
from rules.engine.load import load_rulebook

RULES = Path(__file__).parents[2] / "rules"


def test_a_case_that_comes_out_otherwise_is_told(tmp_path: Path) -> None:
    folder = shutil.copytree(RULES, tmp_path / "rules", ignore=shutil.ignore_patterns("engine"))
    assert run_cases(folder, load_rulebook(folder)) == []
    rules = folder / "procedures/delegation.yaml"
    rules.write_text(rules.read_text("utf-8").replace("above: 1000", "above: 500"), "utf-8")
    [failure] = run_cases(folder, load_rulebook(folder))
    assert failure.file.endswith("delegation.cases.yaml")
    assert (failure.case, failure.what.en) == ("一千个备份仍不须复核", "It takes approval to agree.")
