"""One deployment; a database for tests of the store alone."""

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from rules.engine.load import load_rulebook
from settings import Settings

sys.path.append(str(Path(__file__).parents[1] / "http"))  # its deployment serves here as well

from http_deployment import REPOSITORY, Deployment


@pytest.fixture(scope="package")
def ward(session_settings: Settings, template_database: str) -> Iterator[Deployment]:
    """API and worker, with a database and a task queue of their own."""
    server = session_settings.database_url.get_secret_value().rpartition("/")[0]
    name = f"views_{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres".replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template_database)
            )
        )
    changes = {"database_url": SecretStr(f"{server}/{name}"), "task_queue": f"test-{name}"}
    ward = Deployment(session_settings.model_copy(update=changes))
    ward.publish(load_rulebook(REPOSITORY / "rules"))
    ward.start()
    yield ward
    ward.stop()
