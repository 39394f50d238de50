"""The town of the claims tests, with rules for handovers; one per module, and one for each other policy."""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql
from pydantic import SecretStr
from temporalio.client import Client

from settings import Settings

sys.path.append(str(Path(__file__).parents[1] / "claims"))

from claims_town import Town, town_in
from handover_ward import delegation_rules


@contextmanager
def own_database(settings: Settings, template: str) -> Iterator[Settings]:
    """Settings with a database and a task queue of one's own."""
    name, server = f"handovers_{uuid4().hex}", settings.database_url.get_secret_value().rpartition("/")[0]
    with psycopg.connect(f"{server}/postgres".replace("+psycopg", ""), autocommit=True) as connection:
        database = sql.Identifier(name)
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(database, sql.Identifier(template))
        )
        yield settings.model_copy(update={"database_url": SecretStr(f"{server}/{name}"), "task_queue": name})
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))


@pytest.fixture(scope="module")
def module_settings(session_settings: Settings, template_database: str) -> Iterator[Settings]:
    with own_database(session_settings, template_database) as settings:
        yield settings


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town(client: Client, module_settings: Settings) -> AsyncIterator[Town]:
    """The module's town, with the rules of this repository."""
    async with town_in(module_settings, client, delegation_rules()) as town:
        yield town


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def careful_town(
    client: Client, session_settings: Settings, template_database: str
) -> AsyncIterator[Town]:
    """Above three backups an approval, always an acceptance, nobody is told, and an hour to undo."""
    rules = delegation_rules(
        approval={"above": 3}, acceptance={"required": True}, notices=[], undo_within="PT1H"
    )
    with own_database(session_settings, template_database) as settings:
        async with town_in(settings, client, rules) as town:
            yield town
