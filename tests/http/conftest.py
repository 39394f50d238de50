"""Fixtures of the API over real HTTP."""

import json
import uuid
from collections.abc import Callable, Iterator

import httpx2
import psycopg
import pytest
from http_deployment import REPOSITORY, Deployment
from psycopg import sql
from pydantic import SecretStr

from rules.engine.load import load_rulebook
from rules.engine.release import Release
from settings import Settings


@pytest.fixture(scope="session")
def release() -> Release:
    """The rulebook of this checkout."""
    return load_rulebook(REPOSITORY / "rules")


@pytest.fixture(scope="package")
def deployment(session_settings: Settings, template_database: str, release: Release) -> Iterator[Deployment]:
    """API and worker, with a database and a task queue of their own."""
    server = session_settings.database_url.get_secret_value().rpartition("/")[0]
    name = f"http_{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres".replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template_database)
            )
        )
    deployment = Deployment(
        session_settings.model_copy(
            update={"database_url": SecretStr(f"{server}/{name}"), "task_queue": f"test-{name}"}
        )
    )
    deployment.publish(release)
    deployment.start()
    yield deployment
    deployment.stop()


@pytest.fixture(scope="package")
def zhang(deployment: Deployment) -> Iterator[httpx2.Client]:
    """A person of the hospital."""
    with deployment.account("zhang") as account:
        yield account


@pytest.fixture
def new_release(release: Release) -> Callable[[str, str], Release]:
    """Make a release that differs in its version and one text of a rule file: (version, title)."""

    def make(version: str, title: str) -> Release:
        documents = json.loads(release.canonical())
        documents["rulebook"]["version"] = version
        documents["procedures/backup-creation"]["steps"][0]["title"] = {"zh": title, "en": title}
        return Release(documents)

    return make
