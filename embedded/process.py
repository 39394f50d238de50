"""Child processes that never outlive their parent."""

import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

PORTS = range(20_000, 32_000)
"""Below the ports that the system gives to whoever calls out or does not mind which (from 32,768 on Linux):
one of those can be taken in the instant between being found free and being listened on, and then another
process's server is mistaken for ours."""
LOCK_PATIENCE = 10.0
"""Seconds that a server of a killed parent may take to finish before its folder counts as in use."""


_CHANCE = random.SystemRandom()


class EmbeddedError(RuntimeError):
    """A part of the embedded platform cannot start or has died; the text says which, why and how to mend."""


class Child:
    """One child process, with its output in a log file.

    It is told to go (``death_signal``) when the thread that started it ends, so start it from a thread that
    lives as long as it should; a parent killed with SIGKILL takes it along as well. It has a session of its
    own: Ctrl-C reaches only the parent, which stops its children in order.

    Attributes:
        name: What messages call it.
        pid: Its process id.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        *,
        privileges: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        death_signal: signal.Signals = signal.SIGKILL,
        keep_open: Sequence[int] = (),
    ) -> None:
        """Start the process.

        Args:
            name: What messages call it.
            command: Program and arguments.
            log: File that its output is appended to.
            privileges: Further options of ``setpriv``, such as another user.
            environment: Variables beside the parent's own.
            stop_signal: Asks it to finish cleanly.
            death_signal: Sent by the kernel when the parent is gone.
            keep_open: File descriptors it inherits.

        Raises:
            EmbeddedError: The program is missing.
        """
        self.name = name
        self.log = log
        self._stop_signal = stop_signal
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 our own programs, no shell
                [*_setpriv(death_signal), *privileges, "--", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
                pass_fds=keep_open,
            )
        self.pid = self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def stop(self, grace_seconds: float = 20) -> None:
        """Ask it to finish, wait, and kill it if it does not."""
        if self.alive:
            self._process.send_signal(self._stop_signal)
        try:
            self._process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._process.kill()
        self._process.wait()

    def wait_until(self, ready: Callable[[], bool], seconds: float = 60) -> None:
        """Poll until it is ready.

        Raises:
            EmbeddedError: It died, or was not ready in time.
        """
        deadline = time.monotonic() + seconds
        while not (ready() and self.alive):  # what answers may be another process
            if not self.alive:
                raise EmbeddedError(
                    f"{self.name} 启动后即退出，原因见日志 / {self.name} ended while starting; see {self.log}"
                )
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"{self.name} 在 {seconds:g} 秒内未就绪，请查看日志 / "
                    f"{self.name} was not ready within {seconds:g} s; see {self.log}"
                )
            time.sleep(0.05)


def run(command: Sequence[str | Path], privileges: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run a short command to its end, with its output captured."""
    return subprocess.run(  # noqa: S603 our own programs, no shell
        [*_setpriv(signal.SIGKILL), *privileges, "--", *command], capture_output=True, text=True, check=False
    )


def _setpriv(death_signal: signal.Signals) -> list[str]:
    """The start of a command line whose process gets ``death_signal`` when its parent is gone."""
    program = shutil.which("setpriv", path=f"{os.environ.get('PATH', '')}:/usr/bin:/bin")
    if program is None:
        raise EmbeddedError(
            "缺少 setpriv 命令，请安装系统软件包 util-linux / "
            "The command setpriv is missing; install the system package util-linux"
        )
    return [program, f"--pdeathsig={death_signal.name.removeprefix('SIG')}"]


@contextmanager
def exclusive(folder: Path, name: str) -> Iterator[int]:
    """Hold a folder for one server.

    The yielded file descriptor carries the lock and is handed to the server: the lock lasts until the last
    process of the server has gone, even if the parent was killed.

    Raises:
        EmbeddedError: Another server uses the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + LOCK_PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise EmbeddedError(
                        f"{name} 的数据目录 {folder} 正被另一个平台使用，请先停止它，或另选目录 / "
                        f"Another platform uses {name}'s data in {folder}; stop it or choose another folder"
                    ) from None
                time.sleep(0.1)
        yield descriptor
    finally:
        os.close(descriptor)


def free_port(preferred: int = 0) -> int:
    """A free TCP port on 127.0.0.1: the preferred one, or one of `PORTS` if that is taken."""
    port = preferred or _CHANCE.choice(PORTS)
    while not _is_free(port):
        port = _CHANCE.choice(PORTS)
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def reachable(port: int) -> bool:
    """Whether something listens on 127.0.0.1 at this port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
