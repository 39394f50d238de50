"""A database of the test's own, and keys that sign."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from joserfc.jwk import KeySet
from sqlalchemy import Engine

from audit.heads import key_set
from store.answer_keys import AnswerKeys, rotate
from store.database import connect


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """The database."""
    engine = connect(database, pool_size=4)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def answer_keys_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys of the platform, made anew."""
    path = tmp_path_factory.mktemp("answer-keys") / "keys.json"
    rotate(path)
    return path


@pytest.fixture(scope="session")
def keys(answer_keys_file: Path) -> AnswerKeys:
    """They sign."""
    return AnswerKeys.load(answer_keys_file)


@pytest.fixture(scope="session")
def public(keys: AnswerKeys) -> KeySet:
    """Their public halves."""
    return key_set({"keys": keys.published()})
