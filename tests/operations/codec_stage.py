"""The codec server over real HTTP, and histories as a Web UI gets them: encrypted."""

import asyncio
import json
import os
import subprocess
import sysconfig
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx2
import psycopg
import uvicorn
from google.protobuf.json_format import MessageToDict
from http_deployment import Deployment
from psycopg import sql
from temporalio.client import Client

from api.auth import Role
from api.codec import create_codec_server
from embedded.process import free_port

UI = "http://127.0.0.1:8233"


class CodecStage:
    """A running codec server.

    Attributes:
        url: Where it listens.
    """

    def __init__(self, plant: Deployment) -> None:
        self._plant = plant
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        app = create_codec_server(plant.settings)
        self._server = uvicorn.Server(
            uvicorn.Config(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")
        )
        self._thread = threading.Thread(target=self._server.run, name="codec server")

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(20)

    def token(self, *roles: Role) -> str:
        """A token of somebody who has these roles."""
        return self._plant.issuer.token("operator", roles=roles)

    def post(self, path: str, body: Any, credential: str = "", **headers: str) -> httpx2.Response:
        """What the Web UI sends: JSON, its origin, the namespace."""
        sent = {"Origin": UI, "X-Namespace": self._plant.settings.temporal_namespace, **headers}
        if credential:
            sent["Authorization"] = f"Bearer {credential}"
        if isinstance(body, bytes):
            sent.setdefault("Content-Type", "application/json")
            return httpx2.post(self.url + path, content=body, headers=sent, timeout=30)
        return httpx2.post(self.url + path, json=body, headers=sent, timeout=30)

    def granted(self, backup: str, reason: str = "工单 HG-52：核对编号时间") -> str:
        """An auditor's grant for the workflow of a backup."""
        asked = {"workflow_id": f"backup-{backup}", "reason": reason}
        answer = self.post("/audit/grants", asked, self.token("auditor"))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])

    def payloads(self, backup: str) -> list[dict[str, Any]]:
        """The encrypted payloads of a backup's history, as its JSON has them."""
        return asyncio.run(_payloads(self._plant.settings.temporal_address, backup))

    def audited(self, act: str) -> list[tuple[Any, ...]]:
        """What the audit trail has of one act: who, workflow, reason, facts."""
        return self._plant.query(
            "SELECT actor_kind, workflow_id, reason, facts FROM audit_event WHERE act = %s ORDER BY id", act
        )

    def show(self, backup: str, room: str, credential: str) -> str:
        """What ``temporal workflow show`` of the command line prints of a backup's workflow."""
        program = Path(sysconfig.get_path("scripts")) / "temporal"
        command = [str(program), "workflow", "show", "--detailed", f"--workflow-id=backup-{backup}"]
        command += [f"--address={self._plant.settings.temporal_address}"]
        command += [f"--namespace={self._plant.settings.temporal_namespace}"]
        command += [f"--codec-endpoint={self.url}/{room}", f"--codec-auth=Bearer {credential}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})
        return done.stdout + done.stderr


async def _payloads(address: str, backup: str) -> list[dict[str, Any]]:
    client = await Client.connect(address, namespace="hgr")
    history = await client.get_workflow_handle(f"backup-{backup}").fetch_history()
    found: list[dict[str, Any]] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if "metadata" in value and "encryption-key-id" in value["metadata"]:
                found.append(value)
                return
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    for event in history.events:
        walk(MessageToDict(event))
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


@contextmanager
def database_away(plant: Deployment) -> Iterator[None]:
    """The database of the deployment takes no connections."""
    server, _, name = plant.database_url.rpartition("/")
    refuse, again = (
        sql.SQL(f"ALTER DATABASE {{}} WITH ALLOW_CONNECTIONS {allowed}").format(sql.Identifier(name))
        for allowed in ("false", "true")
    )
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(refuse)
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
        )
        try:
            yield
        finally:
            connection.execute(again)
