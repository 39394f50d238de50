"""A platform of real processes whose servers can be killed and started again on the same data and ports."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
from pydantic import SecretStr

import embedded.postgres
import embedded.temporal
from api.tokens import DevelopmentIssuer
from cli.preparation import prepare
from embedded.platform import ISSUER, Platform
from settings import Settings
from wire.keys import KeyRing

PATIENCE = 90
"""Seconds. One draft takes ten updates at a time, and on a busy machine fifty want several turns each."""
WAIT = frozenset({202, 503})
"""Answers that ask to repeat the same request."""


class Stage(Platform):
    """Worker, API and servers, any of which may die."""

    def __init__(self, folder: Path) -> None:
        self._servers = {"PostgreSQL": ExitStack(), "Temporal": ExitStack()}
        postgres = self._servers["PostgreSQL"].enter_context(embedded.postgres.running(folder))
        temporal = self._servers["Temporal"].enter_context(embedded.temporal.running(folder))
        keys_file = folder / "keys.json"
        KeyRing.generate().save(keys_file)
        settings = Settings(
            database_url=SecretStr(postgres.url),
            temporal_address=temporal.address,
            keys_file=keys_file,
            rule_signers=folder / "rule-signers" / "signers.json",
            token_issuer=ISSUER,
            jwks=str(folder / "issuer" / "jwks.json"),
            deployment="development",
            log_format="console",
        )
        super().__init__(folder, settings, postgres, temporal)
        prepare(settings)
        self.issuer = DevelopmentIssuer(folder / "issuer")
        self._pids = {"PostgreSQL": postgres.child.pid, "Temporal": temporal.child.pid}
        self.uploads = folder / "uploads"
        self.uploads.mkdir()

    def kill(self, name: str) -> None:
        """SIGKILL: ``PostgreSQL``, ``Temporal``, ``worker`` or ``api``."""
        os.kill(self._pids.get(name) or self.pid(name), signal.SIGKILL)

    def start_server_again(self, name: str) -> None:
        """On the same data, at the same address."""
        self._servers[name].close()
        if name == "PostgreSQL":
            port = int(self.settings.database_url.get_secret_value().rpartition(":")[2].partition("/")[0])
            postgres = embedded.postgres.running(self._folder, port=port)
            self._pids[name] = self._servers[name].enter_context(postgres).child.pid
        else:
            port = int(self.temporal.address.rpartition(":")[2])
            temporal = embedded.temporal.running(self._folder, port=port)
            self._pids[name] = self._servers[name].enter_context(temporal).child.pid

    def value(self, query: str, *parameters: object) -> Any:
        """The single value a query gives."""
        with psycopg.connect(self.dsn) as connection:
            row = connection.execute(query.encode(), parameters).fetchone()
        assert row is not None
        return row[0]

    @property
    def dsn(self) -> str:
        return self.settings.database_url.get_secret_value().replace("+psycopg", "")

    def close(self) -> None:
        self.stop_api()
        self.stop_worker()
        for server in self._servers.values():
            server.close()


class Person:
    """Somebody signed in."""

    def __init__(self, stage: Stage, name: str) -> None:
        self._stage = stage
        self._http = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {stage.issuer.token(name)}"},
            timeout=PATIENCE,
            limits=httpx2.Limits(max_connections=60),
        )

    async def asks(self, method: str, path: str, key: str = "", **request: Any) -> httpx2.Response:
        headers = {"Idempotency-Key": key or str(uuid4()), **request.pop("headers", {})}
        return await self._http.request(method, self._stage.api_url + path, headers=headers, **request)

    async def insists(self, method: str, path: str, key: str = "", **request: Any) -> httpx2.Response:
        """Repeat the very same request for as long as the answer asks for it, or there is none."""
        key = key or str(uuid4())
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                answer = await self.asks(method, path, key, **request)
            except httpx2.TransportError:
                answer = None
            if answer is not None and answer.status_code not in WAIT:
                return answer
            await asyncio.sleep(0.2)
        raise AssertionError(f"{method} {path}: nobody did it")

    async def opens(self, content: dict[str, Any]) -> str:
        """Open a draft with its project; gives its path."""
        answer = await self.insists("POST", "/v1/backups", json={"step": "project", "content": content})
        assert answer.status_code == 201, answer.text
        return f"/v1/backups/{answer.json()['backup_id']}"

    async def close(self) -> None:
        await self._http.aclose()


async def until(true: Callable[[], object]) -> None:
    """Wait for something that is about to happen."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
