"""Rules to publish, and a database of signed releases."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from rules.engine.acts import china_day
from rules.engine.load import load_rulebook
from rules.engine.release import Release
from settings import Settings
from store.database import connect

MakeRelease = Callable[..., Release]


@pytest.fixture(scope="session")
def our_rules() -> Release:
    """The rulebook of this checkout."""
    return load_rulebook(Path("rules"))


@pytest.fixture(scope="session")
def release_of(our_rules: Release) -> MakeRelease:
    """Make a release by version, declared date, and a number that tells its content from others'."""

    def make(version: str, declared: date = date(2026, 11, 1), content: int = 0) -> Release:
        documents = json.loads(our_rules.canonical())
        documents["rulebook"] |= {"version": version, "effective_from": declared.isoformat()}
        documents["rulebook"]["platform"]["email"] = f"help-{content}@example.org"
        return Release(documents)

    return make


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """A migrated database of the test's own."""
    engine = connect(settings.database_url.get_secret_value())
    yield engine
    engine.dispose()


@pytest.fixture
def today() -> date:
    """In China."""
    return china_day(datetime.now(UTC))


@pytest.fixture
def tamper(settings: Settings) -> Callable[..., None]:
    """Change the database behind the trigger's back, as its owner can."""

    def run(statement: str, *parameters: object) -> None:
        url = settings.database_url.get_secret_value().replace("+psycopg", "")
        with psycopg.connect(url) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(statement.encode(), parameters)

    return run
