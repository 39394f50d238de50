"""Grants (解密授权): leave to decode for a short time, and which payloads it is for."""

import base64
import binascii
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID, uuid4

from google.protobuf.message import Message as ProtobufMessage
from pydantic import BaseModel, ConfigDict, ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from schemas.errors import Refusal
from store.encryption import ColumnCipher, UndecipherableError
from wire.codec import ENCRYPTED, NONCE_BYTES

Room = Literal["ops", "audit"]
LASTS: dict[Room, timedelta] = {"ops": timedelta(hours=1), "audit": timedelta(minutes=15)}
PREFIX = "grant."
_PLACE = ("codec_grant", "token")
_MOST_KNOWN = 100
"""Workflows whose payloads are remembered."""


class Grant(BaseModel):
    """Who may decode what until when, and why. It is kept by its holder, sealed, and nowhere else.

    Attributes:
        room: ``ops`` shows masked payloads of any workflow, ``audit`` clear ones of one.
        account_id: Who.
        workflow_id: Which, of ``audit``.
        reason: Why, of ``audit``.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    room: Room
    account_id: UUID
    expires_at: datetime
    workflow_id: str = ""
    reason: str = ""


class Grants:
    """Seals grants into tokens and opens them; only who has the key ring can."""

    def __init__(
        self, cipher: ColumnCipher, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._cipher = cipher
        self._clock = clock

    def give(
        self, room: Room, account_id: UUID, workflow_id: str = "", reason: str = ""
    ) -> tuple[Grant, str]:
        """A new grant, and its token."""
        grant = Grant(
            room=room,
            account_id=account_id,
            expires_at=self._clock() + LASTS[room],
            workflow_id=workflow_id,
            reason=reason,
        )
        row = uuid4()
        sealed = self._cipher.encrypt(grant.model_dump_json(), *_PLACE, row)
        return grant, PREFIX + base64.urlsafe_b64encode(row.bytes + sealed).decode("ascii")

    def open(self, token: str, room: Room) -> Grant:
        """The grant of a token.

        Raises:
            Refusal: ``unauthenticated``, for another room as well; ``token_expired``.
        """
        try:
            raw = base64.urlsafe_b64decode(token.removeprefix(PREFIX))
            row, sealed = UUID(bytes=raw[:16]), raw[16:]
            grant = Grant.model_validate_json(self._cipher.decrypt(sealed, *_PLACE, row))
        except (UndecipherableError, ValidationError, binascii.Error, ValueError, IndexError):
            raise Refusal("unauthenticated") from None
        if grant.room != room:
            raise Refusal("unauthenticated")
        if grant.expires_at <= self._clock():
            raise Refusal("token_expired")
        return grant


class Ownership:
    """Which encrypted payloads belong to a workflow. Their nonces tell: no two payloads share one."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[str, set[bytes]] = {}

    async def owned(self, workflow_id: str, payloads: list[Payload]) -> list[bool]:
        """Of each encrypted payload whether it stands in the history or description of the workflow.

        Raises:
            Refusal: ``not_found``.
        """
        nonces = [payload.data[:NONCE_BYTES] for payload in payloads]
        if not self._known.get(workflow_id, set()).issuperset(nonces):
            await self.look_up(workflow_id)
        return [nonce in self._known[workflow_id] for nonce in nonces]

    async def look_up(self, workflow_id: str) -> None:
        """Read the histories of all runs of a workflow.

        Raises:
            Refusal: ``not_found``.
        """
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        found: set[bytes] = set()
        try:
            described = await self._client.get_workflow_handle(workflow_id).describe()
            found.update(_nonces(described.raw_description))
            run_id = described.run_id
            while run_id:
                run_id = await self._read(workflow_id, run_id, found)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            if not found:
                raise Refusal("not_found") from None  # else an earlier run is past its retention
        self._known[workflow_id] = found

    async def _read(self, workflow_id: str, run_id: str, found: set[bytes]) -> str:
        """Take in the history of one run; the id of the run it goes on from, empty for the first."""
        before = ""
        async for event in self._client.get_workflow_handle(
            workflow_id, run_id=run_id
        ).fetch_history_events():
            found.update(_nonces(event))
            before = before or event.workflow_execution_started_event_attributes.continued_execution_run_id
        return before


def _nonces(message: ProtobufMessage) -> Iterator[bytes]:
    for payload in _payloads(message):
        if payload.metadata.get("encoding") == ENCRYPTED:
            yield payload.data[:NONCE_BYTES]


def _payloads(message: ProtobufMessage) -> Iterator[Payload]:
    if isinstance(message, Payload):
        yield message
        return
    for _, value in message.ListFields():
        if isinstance(value, ProtobufMessage):
            yield from _payloads(value)
        elif not isinstance(value, str | bytes | int | float):
            for each in value.values() if hasattr(value, "values") else value:
                if isinstance(each, ProtobufMessage):
                    yield from _payloads(each)
