import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import rules
from rules.engine.load import load_rulebook
from rules.engine.release import Release

FOLDER = Path(rules.__file__).parent

Edit = tuple[str, str, str]
Edited = Callable[..., Path]


@pytest.fixture(scope="session")
def folder() -> Path:
    return FOLDER


@pytest.fixture(scope="session")
def release() -> Release:
    return load_rulebook(FOLDER)


@pytest.fixture
def edited(tmp_path: Path) -> Edited:
    """A copy of the rule files in which, file by file, a text stands for another."""

    def edit(*edits: Edit) -> Path:
        copy = tmp_path / "rules"
        shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("engine", "*.py", "__pycache__"))
        for file, old, new in edits:
            text = (copy / file).read_text("utf-8")
            assert old in text
            (copy / file).write_text(text.replace(old, new), "utf-8")
        return copy

    return edit
