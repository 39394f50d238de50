"""A database of the test's own; a deployment; keys that sign."""

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psycopg
import pytest
from joserfc.jwk import KeySet
from psycopg import sql
from pydantic import HttpUrl, SecretStr
from sqlalchemy import Engine

from audit.heads import key_set
from rules.engine.load import load_rulebook
from settings import Settings
from store.answer_keys import AnswerKeys, rotate
from store.database import connect

sys.path.append(str(Path(__file__).parents[1] / "http"))  # its deployment serves here as well

from http_deployment import REPOSITORY, Deployment


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """The database."""
    engine = connect(database, pool_size=4)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def answer_keys_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys of the platform, made anew."""
    path = tmp_path_factory.mktemp("answer-keys") / "keys.json"
    rotate(path)
    return path


@pytest.fixture(scope="session")
def keys(answer_keys_file: Path) -> AnswerKeys:
    """They sign."""
    return AnswerKeys.load(answer_keys_file)


@pytest.fixture(scope="session")
def public(keys: AnswerKeys) -> KeySet:
    """Their public halves."""
    return key_set({"keys": keys.published()})


@pytest.fixture(scope="package")
def office(
    session_settings: Settings, template_database: str, answer_keys_file: Path
) -> Iterator[Deployment]:
    """API and worker that have keys to sign with, and a database and a task queue of their own."""
    server = session_settings.database_url.get_secret_value().rpartition("/")[0]
    name = f"audit_{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres".replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template_database)
            )
        )
    changes = {
        "database_url": SecretStr(f"{server}/{name}"),
        "public_url": HttpUrl("https://backup.example.org/"),
        "answer_keys": answer_keys_file,
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
def auditor(office: Deployment) -> Iterator[httpx2.Client]:
    """An auditor."""
    with office.account("zhao", roles=("auditor",)) as account:
        yield account
