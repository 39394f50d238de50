"""The API over real HTTP: uvicorn and a worker in a thread of their own, on the session's real servers."""

import asyncio
import json
import threading
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import uvicorn
from psycopg import sql
from pydantic import SecretStr
from temporalio.client import Client
from temporalio.worker import Worker

import worker
from api.app import create_app
from api.tokens import DevelopmentIssuer
from embedded.process import free_port
from rules.engine.acts import next_version, restored
from rules.engine.release import Release
from settings import Settings
from store.database import connect, writing
from store.signers import DevelopmentSigners
from wire.client import connect as connect_temporal

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "examples"
PROJECT: dict[str, Any] = json.loads((EXAMPLES / "project.json").read_text())
INFORMATION: dict[str, Any] = json.loads((EXAMPLES / "backup-information.json").read_text())


def database_of_its_own(settings: Settings, template: str, prefix: str) -> dict[str, Any]:
    """Changes of settings: a copy of a database, and a task queue that is named like it."""
    server = settings.database_url.get_secret_value().rpartition("/")[0]
    name = f"{prefix}_{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres".replace("+psycopg", ""), autocommit=True) as connection:
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(copy.format(sql.Identifier(name), sql.Identifier(template)))
    return {"database_url": SecretStr(f"{server}/{name}"), "task_queue": f"test-{name}"}


class Deployment:
    """One API and one worker, served from a thread with an event loop of its own.

    Attributes:
        settings: What both run with.
        url: Where the API listens.
        issuer: Signs the tokens the API trusts.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.issuer = DevelopmentIssuer(
            Path(settings.jwks).parent, settings.token_issuer, settings.token_audience
        )
        self.app = create_app(settings)
        port = free_port(0)
        self.url = f"http://127.0.0.1:{port}"
        self._server = uvicorn.Server(
            uvicorn.Config(self.app, host="127.0.0.1", port=port, access_log=False, log_level="warning")
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="deployment")
        self._threads = ThreadPoolExecutor(worker.THREADS)
        self._engine = connect(settings.database_url.get_secret_value(), pool_size=2)
        self._worker: Worker | None = None

    def start(self) -> None:
        """Start API and worker and wait until both are up."""
        self._thread.start()
        self._client = self._await(connect_temporal(self.settings))
        self._serving = asyncio.run_coroutine_threadsafe(self._server.serve(), self._loop)
        self.start_worker()
        while not self._server.started:
            assert not self._serving.done(), self._serving.exception()
            self._await(asyncio.sleep(0.02))

    def stop(self) -> None:
        """Stop both."""
        self._server.should_exit = True
        self._serving.result(20)
        self.stop_worker()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._engine.dispose()
        self._threads.shutdown()

    def start_worker(self) -> None:
        """Start a worker."""

        async def start() -> None:
            self._worker = worker.build(self.settings, self._client, self._threads)
            self._running = asyncio.create_task(self._worker.run())

        self._await(start())

    def stop_worker(self) -> None:
        """Stop the worker; what it does is finished first."""
        if self._worker is not None:
            self._await(self._worker.shutdown())
            self._await(asyncio.wait_for(self._running, 20))
            self._worker = None

    def account(self, person: str, language: str = "zh", **claims: Any) -> httpx2.Client:
        """An HTTP client that is signed in as one of the fictitious people."""
        return self.visitor({
            "Authorization": f"Bearer {self.issuer.token(person, **claims)}",
            "Accept-Language": language,
        })  # fmt: skip

    def visitor(self, headers: Mapping[str, str] | None = None) -> httpx2.Client:
        """An HTTP client with these headers and no others of ours."""
        return httpx2.Client(base_url=self.url, headers=headers, timeout=30)

    def publish(self, release: Release) -> None:
        """Put a release in force (when it is dated so)."""
        with writing(self._engine) as writer:
            DevelopmentSigners(self.settings.rule_signers).publish(writer, release)

    def restore(self, release: Release) -> None:
        """Put a release's rules in force again, under a version of their own."""
        self.publish(restored(release, self.free_version(), release.effective_from))

    def free_version(self) -> str:
        """A version that no release has yet."""
        taken = [version for (version,) in self.query("SELECT version FROM rulebook_release")]
        return next_version(taken, date(2099, 1, 1))

    def history_length(self, backup_id: str) -> int:
        """Events of the workflow of a backup, over all its runs."""
        return len(self._await(_history(self._client, f"backup-{backup_id}")))

    def run(self, ask: Callable[[Client], Awaitable[Any]]) -> Any:
        """Ask Temporal for something; what comes of it."""

        async def asking() -> Any:
            return await ask(self._client)

        return self._await(asking())

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Read the database directly."""
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(statement.encode(), parameters).fetchall()

    @property
    def database_url(self) -> str:
        """For psycopg."""
        return self.settings.database_url.get_secret_value().replace("+psycopg", "")

    def _await(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)


async def _history(client: Client, workflow_id: str) -> list[Any]:
    history = await client.get_workflow_handle(workflow_id).fetch_history()
    return list(history.events)


def keyed(key: str | None = None, revision: int | None = None) -> dict[str, str]:
    """Headers of a change: a new Idempotency-Key or this one, and the revision it replaces."""
    headers = {"Idempotency-Key": key or str(uuid.uuid4())}
    return headers if revision is None else headers | {"If-Match": f'"{revision}"'}


def open_draft(account: httpx2.Client, content: Mapping[str, Any] = PROJECT) -> str:
    """A new backup with its first form saved; its id."""
    body = {"step": "project", "content": content}
    answer = account.post("/v1/backups", json=body, headers=keyed())
    assert answer.status_code == 201, answer.text
    return str(answer.json()["backup_id"])


def upload(
    account: httpx2.Client,
    backup: str,
    content: bytes | Iterator[bytes],
    revision: int = 0,
    media_type: str = "text/csv",
    key: str | None = None,
) -> httpx2.Response:
    """Send a file list."""
    headers = keyed(key, revision) | {"Content-Type": media_type}
    return account.post(f"/v1/backups/{backup}/steps/data-files/manifests", content=content, headers=headers)


def complete_draft(account: httpx2.Client) -> str:
    """A new backup with all three steps saved and nothing to correct; its id."""
    backup = open_draft(account)
    path = f"/v1/backups/{backup}/steps/backup-information"
    assert account.put(path, json=INFORMATION, headers={"If-Match": '"0"'}).status_code == 200
    assert upload(account, backup, (EXAMPLES / "file-list.csv").read_bytes()).status_code == 201
    return backup


def number(account: httpx2.Client, backup: str) -> str:
    """Submit a complete draft; its backup number."""
    answer = account.post(f"/v1/backups/{backup}/submission", headers=keyed()).json()
    assert answer["verdict"] == "accepted", answer
    return str(answer["number"])
