"""The whole platform as child processes: what ``hgrip run``, the demo and tests on real processes share."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import HttpUrl, SecretStr

import embedded.postgres
import embedded.temporal
from embedded.process import Child, EmbeddedError, free_port, reachable
from settings import Settings
from store.answer_keys import rotate
from wire.keys import KeyRing

REPOSITORY = Path(__file__).parents[1]
ISSUER = "hgrip-development"
"""``iss`` of the tokens that the development issuer signs."""


class Platform:
    """Running servers, and the worker and API that are started and stopped on them.

    Nothing restarts a dead process: ``check`` says which one died, and the platform stops. A worker that has
    crashed shows a fault to be read, not one to be hidden; in production the service manager restarts it.

    Attributes:
        settings: What worker, API and commands need to reach the servers.
        temporal: Addresses of Temporal.
        api_url: Where the API listens; empty until it is started.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        postgres: embedded.postgres.Postgres,
        temporal: embedded.temporal.Temporal,
    ) -> None:
        self.settings = settings
        self.temporal = temporal
        self.api_url = ""
        self._folder = folder
        self._children: dict[str, Child] = {"PostgreSQL": postgres.child, "Temporal": temporal.child}

    def start_worker(self, program: Path | None = None) -> None:
        """Start the worker, or another version of it; updates sent before it is up wait for it."""
        self._start("worker", program or REPOSITORY / "worker.py")

    def stop_worker(self) -> None:
        """Let the worker finish what it does and stop it."""
        self._end("worker")

    def kill_worker(self) -> None:
        """Kill the worker where it stands (SIGKILL)."""
        self._children.pop("worker").kill()

    def start_api(self, port: int = 0) -> None:
        """Start the API and wait until it listens.

        Args:
            port: Preferred port; another one if it is taken or 0.

        Raises:
            EmbeddedError: It does not start.
        """
        port = free_port(port)
        self.settings = self.settings.model_copy(update={"public_url": HttpUrl(f"http://127.0.0.1:{port}")})
        self.api_url = self._serve("api", "api.app:create_app", port)

    def stop_api(self) -> None:
        """Let the API answer what it was asked and stop it."""
        self._end("api")

    def start_codec_server(self, port: int = 0) -> str:
        """Start the codec server and wait until it listens; where it does.

        Raises:
            EmbeddedError: It does not start.
        """
        return self._serve("codec-server", "api.codec:create_codec_server", free_port(port))

    def stop(self) -> None:
        """Stop all that was started on the servers; each finishes what it does."""
        for name in ("codec-server", "api", "worker"):
            self._end(name)

    def pid(self, name: str) -> int:
        """Process id of ``PostgreSQL``, ``Temporal``, ``worker`` or ``api``."""
        return self._children[name].pid

    def check(self) -> None:
        """Look whether all started processes still run.

        Raises:
            EmbeddedError: One has died; the text names it and its log.
        """
        for child in self._children.values():
            if not child.alive:
                raise EmbeddedError(f"{child.name} 意外退出，请查看日志 / {child.name} died; see {child.log}")

    def _start(self, name: str, *arguments: str | Path) -> Child:
        environment = {**self.settings.environment(), "PYTHONUNBUFFERED": "1"}
        log = self._folder / "log" / f"{name}.log"
        self._children[name] = Child(name, [sys.executable, *arguments], log, environment=environment)
        return self._children[name]

    def _serve(self, name: str, factory: str, port: int) -> str:
        options = ["--host=127.0.0.1", f"--port={port}", f"--app-dir={REPOSITORY}", "--no-access-log"]
        server = self._start(name, "-m", "uvicorn", factory, "--factory", *options)
        server.wait_until(lambda: reachable(port))
        return f"http://127.0.0.1:{port}"

    def _end(self, name: str) -> None:
        if name in self._children:
            self._children.pop(name).stop()


@contextmanager
def running(
    folder: Path, *, virtual_clock: bool = False, temporal_port: int = 0, ui_port: int = 0
) -> Iterator[Platform]:
    """Run PostgreSQL and Temporal on the data in ``folder``, and stop everything at the end.

    Writes the settings to ``folder/hgrip.env``, where commands in another terminal find them; keys are
    generated the first time.

    Raises:
        EmbeddedError: A part is missing, does not start, or another platform uses the folder.
    """
    folder = folder.resolve()
    keys_file = folder / "keys.json"
    with (
        embedded.postgres.running(folder) as postgres,
        embedded.temporal.running(
            folder, virtual_clock=virtual_clock, port=temporal_port, ui_port=ui_port
        ) as temporal,
    ):
        if not keys_file.exists():
            KeyRing.generate().save(keys_file)
        answer_keys = folder / "answer-keys.json"
        if not answer_keys.exists():
            rotate(answer_keys)
        settings = Settings(
            database_url=SecretStr(postgres.url),
            temporal_address=temporal.address,
            temporal_namespace=embedded.temporal.NAMESPACE,
            temporal_ui_url=HttpUrl(temporal.ui_url),
            keys_file=keys_file,
            rule_signers=folder / "rule-signers" / "signers.json",
            token_issuer=ISSUER,
            jwks=str(folder / "issuer" / "jwks.json"),
            answer_keys=answer_keys,
            ui_origins=f"{temporal.ui_url} {temporal.ui_url.replace('127.0.0.1', 'localhost')}",
            deployment="development",
            log_format="console",
        )
        environment_file = folder / "hgrip.env"
        _write_private(environment_file, "".join(f"{k}={v}\n" for k, v in settings.environment().items()))
        platform = Platform(folder, settings, postgres, temporal)
        try:
            yield platform
        finally:
            platform.stop()
            environment_file.unlink(missing_ok=True)


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)
