"""Real servers for tests: one PostgreSQL and one Temporal per test process (and so per xdist worker)."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql
from pydantic import SecretStr
from temporalio.client import Client
from temporalio.testing import TimeSkipper

import embedded.postgres
import embedded.temporal
from settings import Settings
from store.signers import DevelopmentSigners
from wire.client import connect
from wire.keys import KeyRing
from wire.plugin import WirePlugin


@pytest.fixture(scope="session")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data and logs of this session's servers."""
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def postgres_url(server_folder: Path) -> Iterator[str]:
    """A PostgreSQL server; its own database stays empty."""
    with embedded.postgres.running(server_folder, durable=False) as server:
        yield server.url


@pytest.fixture(scope="session")
def temporal(server_folder: Path) -> Iterator[embedded.temporal.Temporal]:
    """A Temporal server on which single workflows can be moved through time (see ``time_skipper``)."""
    with embedded.temporal.running(server_folder, virtual_clock=True) as server:
        yield server


@pytest.fixture(scope="session")
def keys_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh key ring."""
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    KeyRing.generate().save(path)
    return path


@pytest.fixture(scope="session")
def session_settings(
    postgres_url: str,
    temporal: embedded.temporal.Temporal,
    keys_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    """Settings for this session's servers, with the empty database; two signers are trusted."""
    rule_signers = tmp_path_factory.mktemp("rule-signers") / "signers.json"
    DevelopmentSigners(rule_signers)
    return Settings(
        database_url=SecretStr(postgres_url),
        temporal_address=temporal.address,
        keys_file=keys_file,
        rule_signers=rule_signers,
        token_issuer="https://issuer.test",
        jwks=str(tmp_path_factory.mktemp("issuer") / "jwks.json"),
        deployment="development",
        log_format="console",
    )


@pytest.fixture(scope="session")
def wire_plugin(session_settings: Settings) -> WirePlugin:
    """The plugin for a ``Replayer``, with this session's keys."""
    return WirePlugin(KeyRing.load(session_settings.keys_file), session_settings.temporal_namespace)


@pytest_asyncio.fixture(scope="session")
async def client(session_settings: Settings) -> Client:
    """A client with the plugin, as API and worker have it."""
    return await connect(session_settings)


@pytest.fixture(scope="session")
def time_skipper(client: Client) -> TimeSkipper:
    """Moves a running workflow through time: ``await time_skipper.fast_forward(handle, timedelta(days=30))``.

    Start the workflow with ``client``, not with ``time_skipper.client``: then its clock runs like any other
    and jumps only when told. A jump waits until all activities between now and then are done.
    """
    return TimeSkipper(client)


@pytest.fixture(scope="session")
def template_database(postgres_url: str) -> str:
    """Name of a migrated database that ``database`` copies."""
    from store.migrations import migrate

    name = "template_hgrip"
    with _administering(postgres_url) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    migrate(_with_database(postgres_url, name))
    return name


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[str]:
    """URL of a database of the test's own, before any migration."""
    name = f"test_{uuid.uuid4().hex}"
    with _administering(postgres_url) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield _with_database(postgres_url, name)
    with _administering(postgres_url) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database(postgres_url: str, template_database: str) -> Iterator[str]:
    """URL of a migrated database of the test's own."""
    name = f"test_{uuid.uuid4().hex}"
    with _administering(postgres_url) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template_database)
            )
        )
    yield _with_database(postgres_url, name)
    with _administering(postgres_url) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def settings(session_settings: Settings, database: str) -> Settings:
    """Settings with a database and a task queue of the test's own."""
    return session_settings.model_copy(
        update={"database_url": SecretStr(database), "task_queue": f"test-{uuid.uuid4()}"}
    )


def _administering(url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(_with_database(url, "postgres").replace("+psycopg", ""), autocommit=True)


def _with_database(url: str, name: str) -> str:
    return f"{url.rpartition('/')[0]}/{name}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of one folder in one process: they share its servers, and some its database."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(item.path.parent.name))
