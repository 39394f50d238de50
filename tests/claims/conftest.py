"""A town per module, and one of its own for a test that changes the rules."""

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from claims_town import Town, changed_rules, town_in
from psycopg import sql
from pydantic import SecretStr
from temporalio.client import Client

from settings import Settings


@pytest.fixture(scope="module")
def module_settings(
    session_settings: Settings, postgres_url: str, template_database: str
) -> Iterator[Settings]:
    """Settings with a database and a task queue of the module's own."""
    name, server = f"claims_{uuid4().hex}", postgres_url.rpartition("/")[0]
    with psycopg.connect(f"{server}/postgres".replace("+psycopg", ""), autocommit=True) as connection:
        database = sql.Identifier(name)
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(database, sql.Identifier(template_database))
        )
        yield session_settings.model_copy(
            update={"database_url": SecretStr(f"{server}/{name}"), "task_queue": name}
        )
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town(client: Client, module_settings: Settings) -> AsyncIterator[Town]:
    """The module's town, with the rules of this repository."""
    async with town_in(module_settings, client, changed_rules()) as town:
        yield town
