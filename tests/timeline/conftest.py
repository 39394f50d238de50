"""The town of the claims tests with an operator in it; look-ups fail when a test says so."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql
from pydantic import HttpUrl, SecretStr
from temporalio.client import Client

from activities.repositories import LookUp
from settings import Settings

sys.path.append(str(Path(__file__).parents[1] / "claims"))
sys.path.append(str(Path(__file__).parents[1] / "delegation"))
sys.path.append(str(Path(__file__).parents[1] / "workflows"))

from claims_town import Town, town_in
from handover_ward import delegation_rules
from timeline_reader import Reader


class Failing:
    """Stands in for the data resource repositories: fails so often, and then answers."""

    def __init__(self) -> None:
        self.failures = 0

    def look_up(self, repository: str, accession: str) -> LookUp:
        if self.failures:
            self.failures -= 1
            raise TimeoutError("张金丝雀 13800001111")  # what a library might put into its text
        return LookUp("not_public", "stand-in")


@pytest.fixture(scope="module")
def repositories() -> Iterator[Failing]:
    stand_in = Failing()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("worker.Offline", lambda: stand_in)
        yield stand_in


@pytest.fixture(scope="module")
def module_settings(session_settings: Settings, template_database: str) -> Iterator[Settings]:
    name, server = (
        f"timeline_{uuid4().hex}",
        session_settings.database_url.get_secret_value().rpartition("/")[0],
    )
    with psycopg.connect(f"{server}/postgres".replace("+psycopg", ""), autocommit=True) as connection:
        database = sql.Identifier(name)
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(database, sql.Identifier(template_database))
        )
        changes = {"database_url": SecretStr(f"{server}/{name}"), "task_queue": name}
        yield session_settings.model_copy(
            update={**changes, "temporal_ui_url": HttpUrl("https://temporal.test")}
        )
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town(client: Client, module_settings: Settings, repositories: Failing) -> AsyncIterator[Town]:
    async with town_in(module_settings, client, delegation_rules()) as town:
        yield town


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def operator(town: Town) -> Reader:
    """An operator, who reads timelines."""
    return Reader(await town.person(town.unit(), ("operator",)))
