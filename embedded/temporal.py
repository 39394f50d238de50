"""Temporal's development server from a wheel as a child process, never for production."""

import shutil
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from embedded.process import Child, EmbeddedError, exclusive, free_port, run
from wire import search_attributes

NAMESPACE = "hgr"
RETENTION_DAYS = 30
"""How long closed workflows stay visible; the development server's own default is one day."""

DYNAMIC_CONFIGURATION = {
    "system.enableActivityEagerExecution": "true",
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
    "frontend.WorkflowPauseEnabled": "true",
    "history.workflowTaskRetryMaxInterval": '"30s"',  # or a mended worker waits for ten minutes
    "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute": "2",
}


class Temporal(NamedTuple):
    """A running server.

    Attributes:
        address: ``host:port`` for clients.
        ui_url: The Web UI.
        metrics_url: The server's Prometheus metrics.
        child: Its process.
    """

    address: str
    ui_url: str
    metrics_url: str
    child: Child


class Ports(NamedTuple):
    """TCP ports of one server."""

    api: int
    ui: int
    metrics: int


@contextmanager
def running(
    folder: Path | None = None, *, virtual_clock: bool = False, port: int = 0, ui_port: int = 0
) -> Iterator[Temporal]:
    """Run Temporal with its Web UI on 127.0.0.1, with its data in ``folder/temporal``.

    Args:
        folder: Holds ``temporal/temporal.db`` and ``log/temporal.log``; None keeps nothing.
        virtual_clock: Lets tests move single workflows through time (``temporalio.testing.TimeSkipper``);
            all others keep real time.
        port: Preferred port; another one if it is taken or 0.
        ui_port: Preferred port of the Web UI, likewise.

    Raises:
        EmbeddedError: The wheel is missing, or another server uses the data.
    """
    if folder is None:
        with (
            TemporaryDirectory() as throw_away,
            running(Path(throw_away), virtual_clock=virtual_clock) as server,
        ):
            yield server
        return
    program = _program()
    ports = Ports(free_port(port), free_port(ui_port), free_port())
    address = f"127.0.0.1:{ports.api}"
    with exclusive(folder / "temporal", "Temporal") as lock:
        child = Child(
            "Temporal",
            [program, *_arguments(folder, ports, virtual_clock=virtual_clock)],
            folder / "log" / "temporal.log",
            environment={"TEMPORAL_VERSION_CHECK_DISABLED": "1"},
            keep_open=[lock],
        )
        try:
            child.wait_until(lambda: _retains(program, address))
            base = "http://127.0.0.1"
            yield Temporal(address, f"{base}:{ports.ui}", f"{base}:{ports.metrics}/metrics", child)
        finally:
            child.stop()


def _program() -> str:
    scripts = sysconfig.get_path("scripts")  # the environment's bin need not be on PATH
    program = shutil.which("temporal", path=scripts) or shutil.which("temporal")
    if program is None:
        raise EmbeddedError(
            "缺少内置 Temporal，请运行 make .venv/.ready，或设置 HGRIP_TEMPORAL_ADDRESS 使用已有服务 / "
            "Embedded Temporal is missing; run make .venv/.ready, or set HGRIP_TEMPORAL_ADDRESS to your own"
        )
    return program


def _arguments(folder: Path, ports: Ports, *, virtual_clock: bool) -> list[str]:
    dynamic = DYNAMIC_CONFIGURATION
    if virtual_clock:
        dynamic = {**dynamic, "frontend.WorkflowTimeSkippingEnabled": "true"}
    attributes = [f"{key.name}={key.indexed_value_type.name.title()}" for key in search_attributes.ALL]
    return [
        *("server", "start-dev", "--ip=127.0.0.1", f"--port={ports.api}"),
        *(f"--ui-port={ports.ui}", f"--metrics-port={ports.metrics}"),
        *("--ui-disable-news-fetch", "--log-level=warn", "--log-format=json"),
        *("--disable-config-file", "--disable-config-env"),
        f"--namespace={NAMESPACE}",
        f"--db-filename={folder / 'temporal' / 'temporal.db'}",
        *("--sqlite-pragma=journal_mode=WAL", "--sqlite-pragma=synchronous=NORMAL"),
        *(f"--search-attribute={attribute}" for attribute in attributes),
        *(f"--dynamic-config-value={name}={value}" for name, value in dynamic.items()),
    ]


def _retains(program: str, address: str) -> bool:
    """Whether the server answers and has taken over our retention."""
    command = [program, "operator", "namespace", "update", f"--namespace={NAMESPACE}", f"--address={address}"]
    command += [f"--retention={RETENTION_DAYS}d", "--disable-config-file", "--disable-config-env"]
    return run(command).returncode == 0
