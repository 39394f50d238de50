"""One database and one worker per module; tests that count numbers or publish releases have their own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from backup_desk import LONG_AGO, Desk, Repositories, changed_release, working
from psycopg import sql
from pydantic import SecretStr
from temporalio.client import Client

from rules.engine.load import load_rulebook
from rules.engine.release import Release
from settings import Settings


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", action="store_true", help="record golden histories of the present workflow")


@pytest.fixture(scope="session")
def release() -> Release:
    """The rulebook of this repository, in force for as long as the notice is."""
    return changed_release(load_rulebook(Path("rules")), "2023.7.1", LONG_AGO)


@pytest.fixture(scope="module")
def module_settings(
    session_settings: Settings, postgres_url: str, template_database: str
) -> Iterator[Settings]:
    """Settings with a database and a task queue of the module's own."""
    name, server = f"module_{uuid4().hex}", postgres_url.rpartition("/")[0]
    with psycopg.connect(f"{server}/postgres".replace("+psycopg", ""), autocommit=True) as connection:
        database = sql.Identifier(name)
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(database, sql.Identifier(template_database))
        )
        yield session_settings.model_copy(
            update={"database_url": SecretStr(f"{server}/{name}"), "task_queue": name}
        )
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))


@pytest.fixture(scope="module")
def module_repositories() -> Iterator[Repositories]:
    """The stand-in that the module's workers ask."""
    repositories = Repositories()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("worker.Offline", lambda: repositories)
        yield repositories
        repositories.open.set()


@pytest.fixture
def repositories(module_repositories: Repositories) -> Repositories:
    """The repositories, with nothing said yet."""
    module_repositories.forget()
    return module_repositories


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(
    client: Client, module_settings: Settings, module_repositories: Repositories, release: Release
) -> AsyncIterator[Desk]:
    """The module's desk, with a worker behind it."""
    desk = Desk.furnished(client, module_settings, release)
    async with working(client, module_settings):
        yield desk
    desk.platform.engine.dispose()


@pytest_asyncio.fixture(loop_scope="session")
async def own_desk(client: Client, settings: Settings, release: Release) -> AsyncIterator[Desk]:
    """A desk with a database of the test's own, and a worker behind it."""
    desk = Desk.furnished(client, settings, release)
    async with working(client, settings):
        yield desk
    desk.platform.engine.dispose()
