"""One deployment that knows its public address; a numbered backup."""

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psycopg
import pytest
from psycopg import sql
from pydantic import HttpUrl, SecretStr

from rules.engine.load import load_rulebook
from settings import Settings

sys.path.append(str(Path(__file__).parents[1] / "http"))  # its deployment serves here as well

from http_deployment import REPOSITORY, Deployment, complete_draft, number


@pytest.fixture(scope="package")
def office(session_settings: Settings, template_database: str) -> Iterator[Deployment]:
    """API and worker, with a database and a task queue of their own."""
    server = session_settings.database_url.get_secret_value().rpartition("/")[0]
    name = f"certificates_{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres".replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template_database)
            )
        )
    changes = {
        "database_url": SecretStr(f"{server}/{name}"),
        "public_url": HttpUrl("https://backup.example.org/hgr/"),
        "task_queue": f"test-{name}",
    }
    office = Deployment(session_settings.model_copy(update=changes))
    office.publish(load_rulebook(REPOSITORY / "rules"))
    office.start()
    yield office
    office.stop()


@pytest.fixture(scope="package")
def zhang(office: Deployment) -> Iterator[httpx2.Client]:
    """A person of the hospital."""
    with office.account("zhang") as account:
        yield account


@pytest.fixture(scope="package")
def numbered(zhang: httpx2.Client) -> tuple[str, str]:
    """A numbered backup of Zhang's: its id and its number."""
    backup = complete_draft(zhang)
    return backup, number(zhang, backup)
