from pathlib import Path

import pytest

import rules
from rules.engine.judge import Judge
from rules.engine.load import load_rulebook
from rules.engine.release import Release

FOLDER = Path(rules.__file__).parent


@pytest.fixture(scope="session")
def folder() -> Path:
    return FOLDER


@pytest.fixture(scope="session")
def release() -> Release:
    return load_rulebook(FOLDER)


@pytest.fixture(scope="session")
def judge(release: Release) -> Judge:
    return Judge(release)
