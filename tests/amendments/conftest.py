"""One deployment with a key that signs answers and a public address, in a database of its own."""

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psycopg
import pytest
from psycopg import sql
from pydantic import HttpUrl, SecretStr

from settings import Settings
from store.answer_keys import rotate

sys.path.append(str(Path(__file__).parents[1] / "eligibility"))  # its desk serves here as well

from eligibility_desk import Desk
from http_deployment import complete_draft, number


@pytest.fixture(scope="package")
def desk(
    session_settings: Settings, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    """API and worker, with a database and a task queue of their own."""
    server = session_settings.database_url.get_secret_value().rpartition("/")[0]
    name = f"amendments_{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres".replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template_database)
            )
        )
    answer_keys: Path = tmp_path_factory.mktemp("answer-keys") / "keys.json"
    rotate(answer_keys)
    changes = {"database_url": SecretStr(f"{server}/{name}"), "answer_keys": answer_keys}
    changes |= {"task_queue": f"test-{name}", "public_url": HttpUrl("https://backup.example")}
    desk = Desk(session_settings.model_copy(update=changes))
    desk.start()
    yield desk
    desk.stop()


@pytest.fixture
def zhang(desk: Desk) -> Iterator[httpx2.Client]:
    """A delegate."""
    with desk.account("zhang") as account:
        yield account


@pytest.fixture
def backup(zhang: httpx2.Client) -> tuple[str, str]:
    """Id and number of a backup of Zhang's."""
    id_ = complete_draft(zhang)
    return id_, number(zhang, id_)
