"""One deployment with repositories that a test can let hang or fail, and an operator at it."""

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from rules.engine.load import load_rulebook
from settings import Settings

sys.path.append(str(Path(__file__).parents[1] / "http"))  # its deployment serves here as well
sys.path.append(str(Path(__file__).parents[1] / "workflows"))  # and its stand-in for the repositories

from backup_desk import Repositories
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


@pytest.fixture(scope="package")
def ops_deployment(
    session_settings: Settings, template_database: str, ops_repositories: Repositories
) -> Iterator[Deployment]:
    """API and worker, with a database and a task queue of their own."""
    server = session_settings.database_url.get_secret_value().rpartition("/")[0]
    name = f"ops_{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres".replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template_database)
            )
        )
    changes = {"database_url": SecretStr(f"{server}/{name}"), "task_queue": f"test-{name}"}
    deployment = Deployment(session_settings.model_copy(update=changes))
    deployment.publish(load_rulebook(REPOSITORY / "rules"))
    deployment.start()
    yield deployment
    deployment.stop()


@pytest.fixture(scope="package")
def zhang(ops_deployment: Deployment) -> Iterator[httpx2.Client]:
    """A person of the hospital."""
    with ops_deployment.account("zhang") as account:
        yield account


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
