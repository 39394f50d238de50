"""Failures of the database, as requests and activities meet them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg

from embedded.platform import Platform

FAIL = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'on purpose'; END $$;
CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON backup_step FOR EACH ROW EXECUTE FUNCTION fail();
"""
WORK_AGAIN = "DROP TRIGGER fail ON backup_step; DROP FUNCTION fail"
CUT = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND query LIKE '%FOR UPDATE%'
"""


def dsn(platform: Platform, database: str = "hgrip") -> str:
    """Address of one database of the platform, for psycopg."""
    url = platform.settings.database_url.get_secret_value().replace("+psycopg", "")
    return f"{url.rpartition('/')[0]}/{database}"


@contextmanager
def failing_activities(platform: Platform, seconds: float = 2) -> Iterator[None]:
    """For some attempts of an activity, what it writes is an error."""

    def execute(statements: str) -> None:
        with psycopg.connect(dsn(platform)) as connection:
            connection.execute(statements.encode())

    execute(FAIL)
    mending = threading.Timer(seconds, execute, [WORK_AGAIN])
    mending.start()
    try:
        yield
    finally:
        mending.join()


@contextmanager
def database_away(platform: Platform) -> Iterator[None]:
    """Nobody can connect to the database."""
    with psycopg.connect(dsn(platform, "postgres"), autocommit=True) as elsewhere:
        elsewhere.execute("ALTER DATABASE hgrip ALLOW_CONNECTIONS false")
        elsewhere.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'hgrip'")
        try:
            yield
        finally:
            elsewhere.execute("ALTER DATABASE hgrip ALLOW_CONNECTIONS true")


@contextmanager
def connection_cut_in_activity(platform: Platform, backup: UUID) -> Iterator[None]:
    """A change of this backup loses its connection in the middle of its transaction."""
    over = threading.Event()

    def cut() -> None:
        with psycopg.connect(dsn(platform), autocommit=True) as other:
            while other.execute(CUT.encode()).fetchone() == (0,) and not over.wait(0.05):
                pass
        blocker.rollback()

    with psycopg.connect(dsn(platform)) as blocker:
        blocker.execute("SELECT FROM backup WHERE id = %s FOR UPDATE", [backup])
        cutting = threading.Thread(target=cut)
        cutting.start()
        try:
            yield
        finally:
            over.set()
            cutting.join()
