"""One deployment with a key that signs answers; a database for tests of the store alone."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from eligibility_desk import Desk
from psycopg import sql
from pydantic import SecretStr

from settings import Settings
from store.answer_keys import rotate


@pytest.fixture(scope="package")
def desk(
    session_settings: Settings, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    """API and worker, with a database and a task queue of their own."""
    server = session_settings.database_url.get_secret_value().rpartition("/")[0]
    name = f"eligibility_{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres".replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template_database)
            )
        )
    answer_keys: Path = tmp_path_factory.mktemp("answer-keys") / "keys.json"
    rotate(answer_keys)
    changes = {"database_url": SecretStr(f"{server}/{name}"), "answer_keys": answer_keys}
    desk = Desk(session_settings.model_copy(update={**changes, "task_queue": f"test-{name}"}))
    desk.start()
    yield desk
    desk.stop()
