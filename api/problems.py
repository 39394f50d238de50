"""Every error as a problem (RFC 9457), in the language of the reader, without any value that was sent.

Own code instead of a problem library: the table of errors, the two languages and the rule never to quote a
value make up nearly all of it; what a library would add is one JSON response and four handlers.
"""

import traceback
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from itertools import takewhile
from json import JSONDecodeError
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy.exc
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import field_errors
from api.bodies import MOST_BYTES, StrictRoute
from api.language import TAGS, language
from api.problem_pages import router as problem_pages
from schemas.errors import Refusal
from schemas.http.backups import StepView
from schemas.http.delegation import DifferenceView, PreviewView
from schemas.texts import Language, Text

log = structlog.get_logger()

_CODE_OF_STATUS = {
    400: "malformed_body",
    401: "unauthenticated",
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}
_RETRY_AFTER = 5  # seconds
_FRAMES = 8


class FieldProblem(BaseModel):
    """One place in the request that is not right."""

    where: str
    """``body``, ``query``, ``path``, ``header`` or ``cookie``."""
    pointer: str
    """RFC 6901 pointer; where a key is not one of ours, the pointer of its parent."""
    code: str
    detail: str


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    """``urn:uuid:`` and the request id, also in ``X-Request-Id``."""
    retryable: bool
    """Whether the same request, with the same Idempotency-Key, may succeed later."""
    errors: list[FieldProblem] = []


RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {"model": Problem, "description": "A problem (RFC 9457), in the language of the request"}
}
"""For ``FastAPI(responses=RESPONSES)``: every operation may answer with a problem."""


class StaleProblem(Problem):
    """The problem ``stale_revision``."""

    revision: int
    current: StepView
    """The step as it is saved now; its ETag is in the header."""


class StaleRevision(Refusal):
    """``stale_revision``, with the step as it is saved now, so that changes can be merged at once."""

    def __init__(self, current: StepView) -> None:
        super().__init__("stale_revision", revision=current.revision)
        self.current = current


class BackupsChangedProblem(Problem):
    """The problem ``backups_changed``."""

    current: PreviewView
    """The preview as it is now, with the digest to confirm."""
    difference: DifferenceView | None
    """How it differs from what was shown; null for a digest that no preview of the last day showed."""


class BackupsChanged(Refusal):
    """``backups_changed``, with the preview as it is now and how it differs from the one that was shown."""

    def __init__(self, current: PreviewView, difference: DifferenceView | None) -> None:
        super().__init__("backups_changed")
        self.current, self.difference = current, difference


def install(app: FastAPI) -> None:
    """Give an application its error handlers, the pages of ``/problems`` and the middleware.

    To be called before routes are added to ``app`` itself; routers bring their own `StrictRoute`.
    """
    app.router.route_class = StrictRoute
    app.openapi = partial(_describe, app.openapi)  # type: ignore[method-assign]  # FastAPI's own way to extend it
    app.include_router(problem_pages)
    app.add_middleware(RequestGuard)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for unreachable in (
        psycopg.OperationalError,
        sqlalchemy.exc.OperationalError,
        sqlalchemy.exc.InterfaceError,
        sqlalchemy.exc.TimeoutError,
    ):
        app.add_exception_handler(unreachable, _database_down)


def _describe(describe: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The API's description, with what FastAPI cannot know.

    Problems have a media type of their own. Headers are required, though their absence is refused by us.
    """
    description = describe()
    for operations in description["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                parameter["required"] |= parameter["in"] == "header"
            for response in operation["responses"].values():
                content = response.get("content", {})
                if content.get("application/json", {}).get("schema", {}).get("$ref", "").endswith("Problem"):
                    content["application/problem+json"] = content.pop("application/json")
    return description


class RequestGuard:
    """Middleware: a request id, headers that keep answers out of caches, and the last resort for exceptions.

    An exception that nothing else handled is answered here and goes no further, because servers and
    frameworks log it with its text, which may quote values.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one HTTP request; anything else passes."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        request.state.request_id = _request_id(request)
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", str(request.state.request_id).encode()),
                    (b"x-content-type-options", b"nosniff"),
                ]
                if not any(name.lower() == b"cache-control" for name, _ in message["headers"]):
                    message["headers"].append((b"cache-control", b"no-store"))
            await send(message)

        try:
            await self.app(scope, receive, send_guarded)
        except ClientDisconnect:
            return  # nobody is left to answer
        except Exception as error:
            log.error("unhandled", request_id=str(request.state.request_id), **_place(error))  # noqa: TRY400 - no text
            if not started:
                await problem(request, Refusal("internal"))(scope, receive, send_guarded)


def problem(
    request: Request,
    refusal: Refusal,
    fields: Sequence[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A refusal as ``application/problem+json``."""
    spoken = language(request)
    request.state.refused = refusal.error.code  # for what counts and records refusals
    facts = {name: fact for name, fact in refusal.facts.items() if name != "pointer"}
    content = described(request, refusal, fields)
    current: dict[str, Any] = {}
    if isinstance(refusal, StaleRevision | BackupsChanged):
        current["current"] = refusal.current.model_dump(mode="json")
    if isinstance(refusal, BackupsChanged):
        difference = refusal.difference
        current["difference"] = difference and difference.model_dump(mode="json")
    return JSONResponse(
        content.model_dump() | facts | current,
        content.status,
        {
            **_headers(request, refusal),
            "Content-Language": TAGS[spoken],
            "Vary": "Accept-Language",
            **(headers or {}),
        },
        media_type="application/problem+json",
    )


def described(request: Request, refusal: Refusal, fields: Sequence[FieldProblem] = ()) -> Problem:
    """A refusal in words."""
    error, spoken = refusal.error, language(request)
    detail = _say(refusal.detail, spoken)
    if "pointer" in refusal.facts:
        pointer = str(refusal.facts["pointer"])
        fields = [FieldProblem(where="body", pointer=pointer, code=error.code, detail=detail), *fields]
    return Problem(
        type=f"/problems/{error.code}",
        title=_say(error.title, spoken),
        status=error.status,
        detail=detail,
        instance=f"urn:uuid:{request.state.request_id}",
        retryable=error.retryable,
        errors=list(fields),
    )


def invalid(request: Request, faults: Sequence[Any]) -> Problem:
    """What pydantic refused of one item of a body: pointers are into the item."""
    return described(
        request, *_not_right(request, [{**fault, "loc": ("body", *fault["loc"])} for fault in faults])
    )


def etag(revision: int) -> str:
    """The ETag of a step: a strong one (RFC 9110 §8.8.3), its revision."""
    return f'"{revision}"'


def _headers(request: Request, refusal: Refusal) -> dict[str, str]:
    """What the status code asks for beside the problem."""
    if isinstance(refusal, StaleRevision):
        return {"ETag": etag(refusal.current.revision)}
    if refusal.error.status == 401:
        # RFC 6750 §3.1: an error code only when a token was sent
        sent = "authorization" in request.headers
        return {"WWW-Authenticate": 'Bearer error="invalid_token"' if sent else "Bearer"}
    if refusal.error.retryable:
        return {"Retry-After": str(refusal.facts.get("retry_after", _RETRY_AFTER))}
    return {}


async def _refused(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)  # noqa: S101 - Starlette's handler type is wider than what it passes
    return problem(request, refusal)


async def _http(request: Request, error: Exception) -> Response:
    """What FastAPI and Starlette refuse by themselves: an unknown address, a method, a size."""
    assert isinstance(error, HTTPException)  # noqa: S101
    code = _CODE_OF_STATUS.get(error.status_code, "internal")
    refusal = Refusal(code, limit=MOST_BYTES) if code == "too_large" else Refusal(code)
    return problem(
        request, refusal, headers=_allowed(request) if code == "method_not_allowed" else error.headers
    )


def _allowed(request: Request) -> dict[str, str]:
    """All methods of an address: Starlette tells only those of the first router that knows it."""
    paths, asked = request.app.openapi()["paths"], request.url.path
    # an address of its own is not also an id in another one: /v1/handovers/previews
    meant = [asked] if asked in paths else [path for path in paths if compile_path(path)[0].fullmatch(asked)]
    methods = {method.upper() for path in meant for method in paths[path]}
    return {"Allow": ", ".join(sorted(methods))}


async def _database_down(request: Request, error: Exception) -> Response:
    log.error("database unavailable", request_id=str(request.state.request_id), **_place(error))
    return problem(request, Refusal("database_unavailable"))


async def _invalid(request: Request, error: Exception) -> Response:
    """What pydantic refused: each place, and a sentence of ours for it."""
    assert isinstance(error, RequestValidationError)  # noqa: S101
    if isinstance(cause := error.__cause__, JSONDecodeError):
        line, column = cause.lineno, cause.colno
        where = Text(
            f"第 {line} 行第 {column} 列处有误。", f"There is a fault at line {line}, column {column}."
        )
        return problem(request, Refusal("malformed_body", where, line=line, column=column))
    faults = error.errors()
    if isinstance(error.body, bytes) and any(fault["loc"] == ("body",) for fault in faults):
        return problem(request, Refusal("unsupported_media_type"))  # FastAPI leaves other types unread
    return problem(request, *_not_right(request, faults))


def _not_right(request: Request, faults: Iterable[Mapping[str, Any]]) -> tuple[Refusal, list[FieldProblem]]:
    spoken, known = language(request), _declared_names(request.app)
    fields = [_field_problem(fault, known, spoken) for fault in faults]
    all_unknown = all(field.code == "unknown_field" for field in fields)
    return Refusal("unknown_field" if all_unknown else "invalid_field"), fields


def _field_problem(fault: Mapping[str, Any], known: frozenset[str], spoken: Language) -> FieldProblem:
    where, *place = fault["loc"]
    kind = fault["type"]
    return FieldProblem(
        where=str(where),
        pointer=_pointer(place, known),
        code={"missing": "missing_field", "extra_forbidden": "unknown_field"}.get(kind, "invalid_field"),
        detail=_say(field_errors.sentence(kind, fault.get("ctx", {})), spoken),
    )


def _pointer(place: Iterable[str | int], known: frozenset[str]) -> str:
    """RFC 6901 pointer, up to the first key that is not one of ours: people put anything into keys."""
    declared = takewhile(lambda part: isinstance(part, int) or part in known, place)
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in declared)


@lru_cache(maxsize=8)
def _declared_names(app: FastAPI) -> frozenset[str]:
    """Every field and parameter name that the API's own description declares."""
    description = app.openapi()
    fields = {
        name
        for schema in description.get("components", {}).get("schemas", {}).values()
        for name in schema.get("properties", {})
    }
    parameters = {
        parameter["name"]
        for operations in description["paths"].values()
        for operation in operations.values()
        for parameter in operation.get("parameters", ())
    }
    return frozenset(fields | parameters)


def _request_id(request: Request) -> uuid.UUID:
    """The client's ``X-Request-Id`` if it is a UUID (it ends up in logs), else a new one."""
    try:
        return uuid.UUID(request.headers.get("x-request-id", ""))
    except ValueError:
        return uuid.uuid4()


def _place(error: Exception) -> dict[str, str]:
    """Kind of an exception and the code it came through, for the log: no text, no local variables."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return {
        "error": type(error).__qualname__,
        "place": " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames)),
    }


def _say(text: Text, spoken: Language) -> str:
    return text.zh if spoken == "zh" else text.en
