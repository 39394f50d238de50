"""The codec server (解密服务): shows encrypted payloads to Temporal's Web UI and command, in two rooms.

``/ops`` shows operators masked payloads (`api.masking`). ``/audit`` shows auditors clear ones of the one
workflow they have a grant for, and every showing is in the audit trail with its reason. Neither encrypts.
An application of its own: it runs apart from the API, where only operators and auditors reach it.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import JsonValue
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware
from temporalio.api.common.v1 import Payload

import logs
import settings as configuration
from api import problems
from api.auth import Authenticator
from api.bodies import StrictRoute
from api.codec_grants import LASTS, Grant, Grants, Ownership
from api.codec_people import Codec, CodecDep, RefusalsRecorded, acting, cookie
from api.masking import masked
from schemas.errors import Refusal
from schemas.http.codec import CodecPayload, CodecPayloads, GrantView, NewAuditGrant, NewOperatorGrant
from settings import Settings
from store import audit
from store.database import connect as connect_database
from store.database import writing
from store.encryption import ColumnCipher
from wire.client import connect as connect_temporal
from wire.codec import ENCRYPTED, EncryptionCodec, UndecryptablePayloadError
from wire.keys import KeyRing, KeysError


class CodecRoute(StrictRoute):
    """A strict route that passes over queries: Temporal's Web UI gains new ones (``preserveStorageRefs``)."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The strict handler, given the request without its query."""
        handle = super().get_route_handler()

        async def handle_without_query(request: Request) -> Response:
            return await handle(Request({**request.scope, "query_string": b""}, request.receive))

        return handle_without_query


router = APIRouter(route_class=CodecRoute, tags=["codec"])
PAGE = Path(__file__).with_name("codec_page.html")
WITHHELD = b'"\xef\xbc\x8a\xef\xbc\x8a\xef\xbc\x8a"'
"""JSON of what stands in for a payload of another workflow: three asterisks."""
_SECURITY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"


def create_codec_server(settings: Settings | None = None) -> FastAPI:
    """Put the codec server together; it connects when it starts.

    Args:
        settings: Read from the environment when None.
    """
    configured = settings or configuration.load()
    logs.configure(configured.log_format)
    app = FastAPI(title="hgrip codec server", docs_url=None, redoc_url=None, lifespan=_lifespan(configured))
    problems.install(app)
    app.state.authenticator = Authenticator(
        configured.token_issuer, configured.token_audience, configured.jwks
    )
    app.include_router(router)
    app.add_middleware(RefusalsRecorded)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=configured.ui_origins.split(),
        allow_methods=["POST"],
        allow_headers=["authorization", "authorization-extras", "content-type", "x-namespace"],
        allow_credentials=True,
    )
    return app


def _lifespan(settings: Settings) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        keys = KeyRing.load(settings.keys_file)
        engine = connect_database(settings.database_url.get_secret_value(), pool_size=2)
        app.state.codec = Codec(
            engine=engine,
            namespace=settings.temporal_namespace,
            cipher=EncryptionCodec(keys.codec, settings.temporal_namespace),
            grants=Grants(ColumnCipher(keys)),
            ownership=Ownership(await connect_temporal(settings)),
        )
        yield
        engine.dispose()

    return lifespan


# --- who asks -----------------------------------------------------------------------------------------


async def _operator(request: Request) -> None:
    """Dependency: an operator, by token or by grant."""
    await acting(request, "ops", "operator")


async def _grant(request: Request) -> Grant:
    """Dependency: an auditor's grant; a token alone tells no reason."""
    actor = await acting(request, "audit", "auditor")
    if actor.grant is None:
        raise Refusal("grant_missing")
    return actor.grant


async def _of_namespace(codec: CodecDep, x_namespace: Annotated[str, Header()] = "") -> None:
    """Dependency: refuse what is asked of another namespace."""
    if x_namespace != codec.namespace:
        raise Refusal("wrong_namespace")


# --- grants -------------------------------------------------------------------------------------------


@router.get("/", response_class=HTMLResponse, include_in_schema=False)
def page() -> HTMLResponse:
    """Where a browser gets its grant: the Web UI can send no reason."""
    return HTMLResponse(PAGE.read_text("utf-8"), headers={"Content-Security-Policy": _SECURITY})


@router.post("/ops/grants", status_code=201, operation_id="createOperatorGrant")
async def grant_operator(
    body: NewOperatorGrant, codec: CodecDep, request: Request, response: Response
) -> GrantView:
    """Let an operator's browser see masked payloads."""
    actor = await acting(request, "ops", "operator")
    grant, token = codec.grants.give("ops", actor.account_id)
    return _granted(grant, token, request, response)


@router.post("/audit/grants", status_code=201, operation_id="createAuditGrant")
async def grant_auditor(
    body: NewAuditGrant, codec: CodecDep, request: Request, response: Response
) -> GrantView:
    """Let an auditor read one workflow in the clear, for a reason that is kept."""
    actor = await acting(request, "audit", "auditor")
    if logs.masked(body.reason) != body.reason:
        raise Refusal("reason_names_person", pointer="/reason")
    await codec.ownership.look_up(body.workflow_id)
    grant, token = codec.grants.give("audit", actor.account_id, body.workflow_id, body.reason)
    await run_in_threadpool(_record, codec, "decode_granted", grant, {})
    return _granted(grant, token, request, response)


def _granted(grant: Grant, token: str, request: Request, response: Response) -> GrantView:
    response.set_cookie(
        cookie(grant.room),
        token,
        max_age=int(LASTS[grant.room].total_seconds()),
        path=f"/{grant.room}",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    endpoint = f"{request.base_url}{grant.room}"
    options = f"--codec-endpoint {endpoint} --codec-auth 'Bearer {token}'"
    workflow = grant.workflow_id or "WORKFLOW_ID"
    command = f"temporal workflow show --workflow-id {workflow} {options}"
    return GrantView(token=token, expires_at=grant.expires_at, command=command)


# --- decoding -----------------------------------------------------------------------------------------


@router.post(
    "/ops/decode", dependencies=[Depends(_operator), Depends(_of_namespace)], operation_id="showMasked"
)
async def decode_masked(body: CodecPayloads, codec: CodecDep) -> CodecPayloads:
    """Show payloads masked; one that is not encrypted stays as it is."""
    payloads = _read(body)
    opened = await _opened(codec, payloads)
    shown = [
        masked(clear) if _is_encrypted(payload) else payload
        for payload, clear in zip(payloads, opened, strict=True)
    ]
    return _written(shown)


@router.post("/audit/decode", dependencies=[Depends(_of_namespace)], operation_id="showClear")
async def decode_clear(
    body: CodecPayloads, grant: Annotated[Grant, Depends(_grant)], codec: CodecDep
) -> CodecPayloads:
    """Show payloads of the granted workflow in the clear; what belongs to another is withheld."""
    payloads = _read(body)
    sealed = [payload for payload in payloads if _is_encrypted(payload)]
    owned = await codec.ownership.owned(grant.workflow_id, sealed)
    allowed = [payload for payload, own in zip(sealed, owned, strict=True) if own]
    withheld = {id(payload) for payload, own in zip(sealed, owned, strict=True) if not own}
    opened = await _opened(codec, [p for p in payloads if id(p) not in withheld])
    if sealed:
        facts: dict[str, JsonValue] = {"shown": len(allowed), "withheld": len(withheld)}
        await run_in_threadpool(_record, codec, "decoded", grant, facts)
    clear = iter(opened)
    hidden = Payload(metadata={"encoding": b"json/plain"}, data=WITHHELD)
    return _written([hidden if id(payload) in withheld else next(clear) for payload in payloads])


@router.post("/ops/encode", include_in_schema=False)
@router.post("/audit/encode", include_in_schema=False)
def encode(body: CodecPayloads) -> None:
    """Refuse, whoever asks: what reaches workflows comes from the API and the worker alone."""
    raise Refusal("encoding_refused")


def _is_encrypted(payload: Payload) -> bool:
    return payload.metadata.get("encoding") == ENCRYPTED


def _read(body: CodecPayloads) -> list[Payload]:
    return [Payload(metadata=payload.metadata, data=payload.data) for payload in body.payloads]


def _written(payloads: Sequence[Payload]) -> CodecPayloads:
    return CodecPayloads(
        payloads=[
            CodecPayload.model_construct(metadata=dict(payload.metadata), data=payload.data)
            for payload in payloads
        ]
    )


async def _opened(codec: Codec, payloads: list[Payload]) -> list[Payload]:
    """Payloads in the clear; one that is not encrypted stays as it is.

    Raises:
        Refusal: ``payload_key_unknown`` or ``payload_undecryptable``.
    """
    try:
        clear = iter(await codec.cipher.decode([payload for payload in payloads if _is_encrypted(payload)]))
    except KeysError:
        raise Refusal("payload_key_unknown") from None
    except UndecryptablePayloadError:
        raise Refusal("payload_undecryptable") from None
    return [next(clear) if _is_encrypted(payload) else payload for payload in payloads]


# --- the audit trail ----------------------------------------------------------------------------------


def _record(codec: Codec, act: str, grant: Grant, facts: dict[str, JsonValue]) -> None:
    with writing(codec.engine) as writer:
        audit.record(
            writer.connection(),
            act=act,
            actor_kind="auditor",
            actor_id=grant.account_id,
            workflow_id=grant.workflow_id,
            reason=grant.reason,
            facts=facts,
        )
