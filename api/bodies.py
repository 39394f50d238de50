"""How JSON bodies are read: strictly, so that whatever is accepted can be stored and sent back.

The standard library's reader lets NaN, lone surrogates and null characters through, which then fail in
PostgreSQL or when the answer is written.
"""

import re
from collections.abc import AsyncIterator, Callable, Coroutine
from json import JSONDecodeError
from typing import Any

import orjson
from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute

MOST_BYTES = 1024 * 1024
"""Length of the longest JSON body; file lists are streamed and do not come this way."""
MOST_LEVELS = 32
"""How deeply objects and lists may be nested; writers of JSON give up between 250 and 1,000."""

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[][{}]')
_NULL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class StrictRoute(APIRoute):
    """A route that reads its JSON body by `read_json`: ``APIRouter(route_class=StrictRoute)``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, given a request that reads strictly."""
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return handle_strictly


class _StrictRequest(Request):
    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            self._body = b"".join([chunk async for chunk in _limited(self.stream())])
        return self._body

    async def json(self) -> Any:
        return read_json(await self.body())


async def _limited(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    # not FastAPI's max_body_size: that one answers in plain text
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > MOST_BYTES:
            raise HTTPException(413)
        yield chunk


def read_json(body: bytes) -> Any:
    """Read one JSON text (RFC 8259) in UTF-8.

    Raises:
        JSONDecodeError: It is malformed, not UTF-8, holds NaN, Infinity, a lone surrogate or a null
            character, or is nested deeper than `MOST_LEVELS`; with line and column.
    """
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise _fault(body[: error.start]) from None  # orjson does not say where
    document = orjson.loads(body)
    depth = 0
    for token in _TOKEN.finditer(body):
        text = token[0]
        depth += (text in (b"{", b"[")) - (text in (b"}", b"]"))
        if depth > MOST_LEVELS or _NULL.search(text):
            raise _fault(body[: token.start()])
    return document


def _fault(before: bytes) -> JSONDecodeError:
    text = before.decode()
    return JSONDecodeError("not storable", text, len(text))
