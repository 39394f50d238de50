"""Ports for servers are nobody's, and stay nobody's until the server listens."""

import socket
import sys
from pathlib import Path

import pytest

from embedded.process import Child, EmbeddedError, free_port, reachable


def test_a_port_is_not_one_that_the_system_gives_to_whoever_calls_out() -> None:
    first, _ = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    assert all(1_024 <= free_port() < int(first) for _ in range(100))


def test_a_preferred_port_is_taken_while_it_is_free() -> None:
    preferred = free_port()
    assert free_port(preferred) == preferred
    with socket.create_server(("127.0.0.1", preferred)):
        assert free_port(preferred) != preferred


def test_a_server_that_died_is_not_taken_for_the_one_that_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as other:
        child = Child("server", [sys.executable, "-c", "exit(1)"], tmp_path / "server.log")
        while child.alive:
            pass
        with pytest.raises(EmbeddedError, match="ended while starting"):
            child.wait_until(lambda: reachable(other.getsockname()[1]))
