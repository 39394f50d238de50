"""Gates before neighbours, to be shut or left hanging, and the neighbours that cannot be here."""

import json
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, Literal
from urllib.parse import parse_qs, urlsplit

How = Literal["open", "shut", "hanging"]
CHUNK = 65_536


class Gate:
    """A way to a neighbour on this machine.

    Attributes:
        port: Where it listens.
        how: ``open`` lets everything through; ``shut`` cuts every connection; ``hanging`` takes what is sent
            and answers nothing.
    """

    def __init__(self, to_port: int) -> None:
        self._to = to_port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._door.getsockname()[1])
        self.how: How = "open"
        self._pairs: set[tuple[socket.socket, socket.socket | None]] = set()
        threading.Thread(target=self._receive, daemon=True).start()

    def turn(self, how: How) -> None:
        """Open, shut or leave hanging: also for whoever is connected now."""
        self.how = how
        if how == "shut":
            for pair in list(self._pairs):
                self._cut(pair)

    def close(self) -> None:
        """End it."""
        self.turn("shut")
        self._door.close()

    def _receive(self) -> None:
        with suppress(OSError):  # the door is closed at the end
            while True:
                caller, _ = self._door.accept()
                if self.how == "shut":
                    caller.close()
                    continue
                threading.Thread(target=self._carry, args=(caller,), daemon=True).start()

    def _carry(self, caller: socket.socket) -> None:
        try:
            neighbour = socket.create_connection(("127.0.0.1", self._to))
        except OSError:
            caller.close()
            return
        pair = (caller, neighbour)
        self._pairs.add(pair)
        with selectors.DefaultSelector() as waiting, suppress(OSError, ValueError):
            waiting.register(caller, selectors.EVENT_READ, neighbour)
            waiting.register(neighbour, selectors.EVENT_READ, caller)
            while all(self._pass(key.fileobj, key.data) for key, _ in waiting.select()):
                pass
        self._cut(pair)

    def _pass(self, source: object, target: socket.socket) -> bool:
        assert isinstance(source, socket.socket)  # noqa: S101  (as registered)
        carried = source.recv(CHUNK)
        if carried and self.how == "open":
            target.sendall(carried)
        return bool(carried)

    def _cut(self, pair: tuple[socket.socket, socket.socket | None]) -> None:
        self._pairs.discard(pair)
        for end in pair:
            if end is not None:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()


class Carrier(BaseHTTPRequestHandler):
    """Takes messages as Alibaba Cloud's SendSms does, and keeps the codes for the drill."""

    codes: ClassVar[dict[str, str]] = {}
    """Code by phone number as the carrier writes it."""

    def do_POST(self) -> None:
        """Take one message, or tell that nothing is known of it yet."""
        asked = parse_qs(urlsplit(self.path).query)
        if "TemplateParam" in asked:
            self.codes[asked["PhoneNumbers"][0]] = json.loads(asked["TemplateParam"][0])["code"]
        answer = {"Code": "OK", "Message": "OK", "RequestId": "1", "BizId": "1^0", "TotalCount": "0"}
        self._answer(200, {**answer, "SmsSendDetailDTOs": {"SmsSendDetailDTO": []}})

    def do_GET(self) -> None:
        """Search the repositories, as BIG Search answers where a deposit is not public yet."""
        self._answer(200, {"code": "200", "result": {"data": {"recordsTotal": 0, "data": []}}})

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Print nothing: addresses hold numbers and codes."""


@contextmanager
def neighbours() -> Iterator[int]:
    """The carrier and the repositories, on one port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Carrier)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
