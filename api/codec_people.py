"""Who asks the codec server, and that what is refused to somebody known is in the audit trail."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple
from uuid import UUID

import structlog
from fastapi import Depends, Request
from pydantic import JsonValue
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import Identity
from api.codec_grants import PREFIX, Grant, Grants, Ownership, Room
from schemas.errors import Refusal
from store import audit
from store.audit import ActorKind
from store.database import writing
from wire.codec import EncryptionCodec

log = structlog.get_logger()

_APART = frozenset[ActorKind]({"operator", "auditor", "policy"})
"""Roles of which nobody acts in two (三员分立)."""


@dataclass(frozen=True)
class Codec:
    """What the codec server works with."""

    engine: Engine
    namespace: str
    cipher: EncryptionCodec
    grants: Grants
    ownership: Ownership


def _codec(request: Request) -> Codec:
    codec: Codec = request.app.state.codec
    return codec


CodecDep = Annotated[Codec, Depends(_codec)]


class Actor(NamedTuple):
    """Who asks.

    Attributes:
        grant: What they may decode; None where they sent the token they signed in with.
    """

    kind: ActorKind
    account_id: UUID
    grant: Grant | None = None


async def acting(request: Request, room: Room, role: ActorKind) -> Actor:
    """Who asks, when it is somebody of this role.

    Raises:
        Refusal: ``unauthenticated``, ``token_expired``, ``sign_in_unavailable`` or ``not_allowed``.
    """
    actor = await _identified(request, room)
    if actor.kind != role:
        raise Refusal("not_allowed")
    return actor


async def _identified(request: Request, room: Room) -> Actor:
    """By the bearer token, or else by what the browser has kept."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token if scheme.lower() == "bearer" else request.cookies.get(cookie(room), "")
    if token.startswith(PREFIX):
        grant = _codec(request).grants.open(token, room)
        return Actor("operator" if room == "ops" else "auditor", grant.account_id, grant)
    if not token:
        raise Refusal("unauthenticated")
    who = await request.app.state.authenticator.identify(token)
    return Actor(_kind(who), who.account_id)


def cookie(room: Room) -> str:
    """Name of the cookie that holds a grant."""
    return f"hgrip-codec-{room}"


def _kind(who: Identity) -> ActorKind:
    """The one role of the three; somebody with two of them acts in none."""
    apart = who.roles & _APART
    return next(iter(apart)) if len(apart) == 1 else "person"


class RefusalsRecorded:
    """Middleware: a refused POST of somebody known is in the audit trail, one of a stranger in the log.

    Strangers are not in the audit trail: anybody could fill it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""

        async def send_noted(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400:
                await _note(Request(scope))
            await send(message)

        posted = scope["type"] == "http" and scope["method"] == "POST"
        scope.setdefault("state", {})
        await self.app(scope, receive, send_noted if posted else send)


async def _note(request: Request) -> None:
    room: Room = "audit" if request.url.path.startswith("/audit") else "ops"
    code = getattr(request.state, "refused", "internal")
    try:
        actor = await _identified(request, room)
    except Refusal:
        log.warning("refused to a stranger", room=room, code=code)
        return
    try:
        await run_in_threadpool(_record, _codec(request), actor, {"code": code, "room": room})
    except SQLAlchemyError:
        log.exception("a refusal could not be recorded", room=room, code=code)  # nothing was shown


def _record(codec: Codec, actor: Actor, facts: dict[str, JsonValue]) -> None:
    with writing(codec.engine) as writer:
        audit.record(
            writer.connection(),
            act="decode_refused",
            actor_kind=actor.kind,
            actor_id=actor.account_id,
            workflow_id=actor.grant.workflow_id or None if actor.grant else None,
            reason=actor.grant.reason or None if actor.grant else None,
            facts=facts,
        )
