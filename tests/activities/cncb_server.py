"""A server on a real socket that speaks as CNCB-NGDC's public services do, or as badly as a test wants."""

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

RELEASED = {
    "HRA": ["HRA000001"],
    "OMIX": ["OMIX004308"],
    "GWH": ["GWHCBHP00000000", "GWHFILD00000000.1"],
    "GENBASE": ["C_AA004835.1"],
}
Odd = Callable[[socketserver.StreamRequestHandler], None]
"""Answers one request in its own way."""


def http(body: bytes, status: str = "200 OK", kind: str = "application/json", *headers: str) -> bytes:
    """One whole answer."""
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*head, "Connection: close", "", ""]).encode() + body


def assembly(asked: str) -> bytes:
    """GWH's answer: every field null for what it does not show."""
    shown = next(
        (each for each in RELEASED["GWH"] if each.partition(".")[0] == asked.partition(".")[0]), None
    )
    fields = {"assemblyName": "CN1_v0.8", "assemblyLevel": "Complete", "bioproject": "PRJCA016397"}
    return http(json.dumps({"accession": shown} | {name: shown and fields[name] for name in fields}).encode())


def fasta(asked: str) -> bytes:
    """GenBase's answer, plain text."""
    for shown in RELEASED["GENBASE"]:
        if shown.partition(".")[0] == asked.partition(".")[0]:
            return http(f">{shown} Homo sapiens, partial\nACGTACGT\nACGT\n".encode(), kind="text/plain")
    return http(b"", "404 Not Found", "text/plain")


def found(*accessions: str, total: int | None = None) -> bytes:
    """BIG Search's answer."""
    hits = [
        {
            "id": each,
            "type": "x",
            "title": "t",
            "url": "u",
            "attrs": {"Accession": each, "Release date": "2025-01-01"},
        }
        for each in accessions
    ]
    page = {"draw": 1, "recordsTotal": len(hits) if total is None else total, "data": hits}
    return http(json.dumps({"code": "200", "result": {"data": page}}).encode())


def documented(target: str) -> bytes:
    """What the service at this address answers."""
    parts = urlsplit(target)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if parts.path.startswith("/gwh/api/public/assembly/"):
        return assembly(parts.path.rpartition("/")[2])
    if parts.path == "/genbase/api/file/fasta":
        return fasta(query["acc"])
    if parts.path == "/search/api/specific":
        asked = query["q"].removeprefix('attrs.Accession:"').removesuffix('"')
        return found(*(each for each in RELEASED.get(query["db"].upper(), []) if each == asked))
    return http(b"<html>", "404 Not Found", "text/html")


class CncbServer(socketserver.ThreadingTCPServer):
    """Counts what it is asked; answers as documented until `odd` is set."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.asked: list[str] = []
        self.headers: list[str] = []
        self.odd: Odd | None = None
        self.ending = threading.Event()

    def answer(self, raw: bytes) -> None:
        """Give this answer to everything from now on."""
        self.odd = lambda handler: _write(handler, raw)


class _Handler(socketserver.StreamRequestHandler):
    server: CncbServer

    def handle(self) -> None:
        first = self.rfile.readline().decode()
        head = list(iter(lambda: self.rfile.readline().decode().strip(), ""))
        target = first.split()[1]
        self.server.asked.append(target)
        self.server.headers.extend(head)
        try:
            if self.server.odd is None:
                _write(self, documented(target))
            else:
                self.server.odd(self)
        except OSError:
            pass  # the client had enough


def _write(handler: socketserver.StreamRequestHandler, raw: bytes) -> None:
    handler.wfile.write(raw)


@contextmanager
def running() -> Iterator[CncbServer]:
    """A server, for the length of the block."""
    with CncbServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.ending.set()
            server.shutdown()
            thread.join()
