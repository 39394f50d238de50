"""A kept connection whose server process has ended: tried after a rest, met by one statement without."""

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from store.database import asking, connect, reading


def backend(engine: Engine) -> int:
    """The server process behind the pool's one connection."""
    with asking(engine) as reader:
        pid: int = reader.connection().execute(text("SELECT pg_backend_pid()")).scalar_one()
        return pid


def end(url: str, pid: int) -> None:
    """As a restart of the server does."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        assert connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid]).fetchone() == (True,)


@pytest.fixture
def engine(database: str) -> Engine:
    return connect(database, pool_size=1)


def test_after_a_rest_nobody_meets_a_connection_that_has_died(
    engine: Engine, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = backend(engine)
    end(database, first)
    monkeypatch.setattr("store.database.RESTED", 0)
    assert backend(engine) != first
    end(database, backend(engine))
    with reading(engine) as reader:
        assert reader.connection().execute(text("SELECT 1")).scalar_one() == 1
    engine.dispose()


def test_a_busy_connection_that_dies_costs_one_statement(
    engine: Engine, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.database.RESTED", 3600)
    first = backend(engine)
    end(database, first)
    with pytest.raises(OperationalError):
        backend(engine)
    assert backend(engine) != first
    engine.dispose()


def test_a_busy_connection_is_not_tried(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []
    monkeypatch.setattr(engine.dialect, "do_ping", tried.append)
    monkeypatch.setattr("store.database.RESTED", 3600)
    assert backend(engine) == backend(engine)
    assert not tried
    monkeypatch.setattr("store.database.RESTED", 0)
    backend(engine)
    assert len(tried) == 1
    engine.dispose()
