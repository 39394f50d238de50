"""A database with two units."""

from collections.abc import Iterator

import pytest
from legacy_ground import OTHER_UNIT, UNIT
from sqlalchemy import Engine, text

from store.database import connect


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """The test's own database, with two units."""
    engine = connect(database)
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO unit VALUES (:code, '')"), [{"code": UNIT}, {"code": OTHER_UNIT}]
        )
    yield engine
    engine.dispose()
