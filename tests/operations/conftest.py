"""One deployment, its codec server, and a numbered backup whose history holds everything."""

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from embedded.process import free_port
from rules.engine.load import load_rulebook
from settings import Settings
from store.answer_keys import rotate

sys.path.append(str(Path(__file__).parents[1] / "http"))  # its deployment serves here as well

from codec_stage import CodecStage
from http_deployment import REPOSITORY, Deployment, complete_draft, number


@pytest.fixture(scope="package")
def plant(
    session_settings: Settings, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """API and worker, with a database and a task queue of their own."""
    server = session_settings.database_url.get_secret_value().rpartition("/")[0]
    name = f"operations_{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres".replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template_database)
            )
        )
    answer_keys = tmp_path_factory.mktemp("answer-keys") / "keys.json"
    rotate(answer_keys)
    changes = {
        "answer_keys": answer_keys,
        "database_url": SecretStr(f"{server}/{name}"),
        "task_queue": f"test-{name}",
        "api_metrics": f"127.0.0.1:{free_port()}",
    }
    plant = Deployment(session_settings.model_copy(update=changes))
    plant.publish(load_rulebook(REPOSITORY / "rules"))
    plant.start()
    yield plant
    plant.stop()


@pytest.fixture(scope="package")
def codec(plant: Deployment) -> Iterator[CodecStage]:
    """The codec server of the deployment."""
    with CodecStage(plant) as stage:
        yield stage


@pytest.fixture(scope="package")
def zhang(plant: Deployment) -> Iterator[httpx2.Client]:
    """A person of the hospital."""
    with plant.account("zhang") as account:
        yield account


@pytest.fixture(scope="package")
def numbered(zhang: httpx2.Client) -> tuple[str, str]:
    """Id and number of a numbered backup."""
    backup = complete_draft(zhang)
    return backup, number(zhang, backup)
