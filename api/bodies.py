"""How requests are read: strictly.

JSON bodies, so that whatever is accepted can be stored and sent back: the standard library's reader lets NaN,
lone surrogates and null characters through, which then fail in PostgreSQL or when the answer is written.
Query parameters and bodies that an address does not declare, so that nobody believes them to have had an
effect: a misspelt filter, a submission's ``{"dry_run": true}``.
"""

import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from json import JSONDecodeError
from typing import Any

import orjson
from fastapi import HTTPException, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from schemas.errors import Refusal

MOST_BYTES = 1024 * 1024
"""Length of the longest JSON body; file lists are streamed and do not come this way."""
MOST_LEVELS = 32
"""How deeply objects and lists may be nested; writers of JSON give up between 250 and 1,000."""

LARGEST_NUMBER = 2**63
"""Numbers are smaller than this, either way: others cannot be read back as they were sent."""

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[][{}]|-?[0-9][-+.0-9eE]*')
_NULL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class StrictRoute(APIRoute):
    """A route that reads its JSON body by `read_json`, and takes nothing that it does not declare.

    ``APIRouter(route_class=StrictRoute)``. A route that reads its body itself declares it in
    ``openapi_extra``.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, given a request that reads strictly."""
        handle = super().get_route_handler()
        parameters = frozenset(_query_parameters(self.dependant))
        takes_body = self.body_field is not None or "requestBody" in (self.openapi_extra or {})

        async def handle_strictly(request: Request) -> Response:
            _require_declared(request, parameters)
            strict = _StrictRequest(request.scope, request.receive)
            if not takes_body and await strict.body():
                raise Refusal("unexpected_body")
            return await handle(strict)

        return handle_strictly


def _query_parameters(dependant: Dependant) -> Iterator[str]:
    yield from (parameter.alias for parameter in dependant.query_params)
    for dependency in dependant.dependencies:
        yield from _query_parameters(dependency)


def _require_declared(request: Request, parameters: frozenset[str]) -> None:
    """Refuse query parameters that are not declared, or are there more than once."""
    sent = Counter(name for name, _ in request.query_params.multi_items())
    faults = [{"type": "extra_forbidden", "loc": ("query",)}] if sent.keys() - parameters else []
    repeated = sorted(name for name in parameters if sent[name] > 1)
    faults += [{"type": "multiple_argument_values", "loc": ("query", name)} for name in repeated]
    if faults:
        raise RequestValidationError(faults)


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
        JSONDecodeError: It is malformed, not UTF-8, holds NaN, Infinity, a lone surrogate, a null character
            or a number beyond `LARGEST_NUMBER`, or is nested deeper than `MOST_LEVELS`; with line and column.
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
        too_large = text[0] not in b'"[]{}' and abs(float(text)) >= LARGEST_NUMBER
        if depth > MOST_LEVELS or too_large or _NULL.search(text):
            raise _fault(body[: token.start()])
    return document


def _fault(before: bytes) -> JSONDecodeError:
    text = before.decode()
    return JSONDecodeError("not storable", text, len(text))
