"""One deployment with repositories that a test can let hang or fail, and an operator at it."""

import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql
from pydantic import SecretStr
from temporalio.client import Client

from rules.engine.load import load_rulebook
from settings import Settings

sys.path.append(str(Path(__file__).parents[1] / "http"))  # its deployment serves here as well
sys.path.append(str(Path(__file__).parents[1] / "workflows"))  # so does the stand-in for the repositories
sys.path.append(str(Path(__file__).parents[1] / "claims"))  # and the town
sys.path.append(str(Path(__file__).parents[1] / "delegation"))  # with its ward

from backup_desk import Repositories
from claims_town import Person, Town, town_in
from handover_ward import delegation_rules
from http_deployment import REPOSITORY, Deployment
from operators_room import Station


@pytest.fixture(scope="package")
def ops_repositories() -> Iterator[Repositories]:
    """The stand-in that the package's workers ask."""
    repositories = Repositories()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("worker.Offline", lambda: repositories)
        yield repositories
        repositories.open.set()


@contextmanager
def own_database(settings: Settings, template: str) -> Iterator[Settings]:
    """Settings with a database and a task queue of one's own."""
    server = settings.database_url.get_secret_value().rpartition("/")[0]
    name = f"ops_{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres".replace("+psycopg", ""), autocommit=True) as connection:
        database = sql.Identifier(name)
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(database, sql.Identifier(template))
        )
        changes = {"database_url": SecretStr(f"{server}/{name}"), "task_queue": f"test-{name}"}
        yield settings.model_copy(update=changes)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))


@pytest.fixture(scope="package")
def ops_deployment(
    session_settings: Settings, template_database: str, ops_repositories: Repositories
) -> Iterator[Deployment]:
    """API and worker, with a database and a task queue of their own."""
    with own_database(session_settings, template_database) as settings:
        deployment = Deployment(settings)
        deployment.publish(load_rulebook(REPOSITORY / "rules"))
        deployment.start()
        yield deployment
        deployment.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town(client: Client, session_settings: Settings, template_database: str) -> AsyncIterator[Town]:
    """The town of the claims tests, with rules for handovers."""
    with own_database(session_settings, template_database) as settings:
        async with town_in(settings, client, delegation_rules()) as town:
            yield town


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def operator(town: Town) -> Person:
    """Somebody who operates the platform."""
    return await town.person(town.unit(), ("operator",))


@pytest.fixture
def repositories(ops_repositories: Repositories) -> Iterator[Repositories]:
    """The repositories, with nothing said yet."""
    ops_repositories.forget()
    yield ops_repositories
    ops_repositories.forget()


@pytest.fixture(scope="package")
def station(ops_deployment: Deployment) -> Iterator[Station]:
    """Where an operator sits."""
    with ops_deployment.account("operator") as operator, ops_deployment.account("zhang") as person:
        yield Station(ops_deployment, operator, person)
