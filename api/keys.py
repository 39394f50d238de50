"""The issuer's public keys: a JSON Web Key Set (RFC 7517) in a file or at a URL."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key

from schemas.errors import Refusal

log = structlog.get_logger()

AGE = 600
"""Seconds after which keys are fetched again, so that a withdrawn key stops working."""
PAUSE = 60
"""Seconds between two fetches from a URL, whatever tokens ask for."""
TIMEOUT = 3
"""Seconds a fetch may take."""
RSA_BITS = 2048
_KINDS = ("OKP", "EC", "RSA")


class PublicKeys:
    """Public keys by key id, fetched when first needed and again for an unknown key id.

    When a fetch fails, the keys of the last good one stay in use.
    """

    def __init__(
        self, source: str, clock: Callable[[], float], transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        """Name the source; nothing is read yet.

        Args:
            source: Path or ``http(s)`` URL.
            clock: Seconds.
            transport: Carries the requests; None for the network.
        """
        self._source = source
        self._at_url = source.startswith(("https://", "http://"))
        self._clock = clock
        self._transport = transport
        self._keys: dict[str, Key] = {}
        self._fetched = self._tried = float("-inf")
        self._fetching = asyncio.Lock()

    async def find(self, kid: str | None) -> Key | None:
        """The key with this id; without an id, the only key there is. None when there is no such key.

        Raises:
            Refusal: ``sign_in_unavailable``, when the key is unknown and the source cannot be read.
        """
        key = self._known(kid)
        old = self._clock() - self._fetched > AGE
        if key is None or (old and not self._fetching.locked()):  # one request fetches, the others go on
            await self._fetch()
            key = self._known(kid)
        if key is None and self._fetched < self._tried:
            raise Refusal("sign_in_unavailable")
        return key

    def _known(self, kid: str | None) -> Key | None:
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid or "")

    async def _fetch(self) -> None:
        async with self._fetching:
            now = self._clock()
            if self._at_url and now - self._tried < PAUSE:
                return
            self._tried = now
            try:
                self._keys = _usable(await self._read())
                self._fetched = now
            except (OSError, httpx2.HTTPError, ValueError, TypeError, KeyError) as error:
                log.warning("public keys cannot be read", error=type(error).__name__)

    async def _read(self) -> Any:
        if not self._at_url:
            return json.loads(await asyncio.to_thread(Path(self._source).read_bytes))
        async with httpx2.AsyncClient(timeout=TIMEOUT, transport=self._transport) as client:
            return (await client.get(self._source)).raise_for_status().json()


def _usable(document: Any) -> dict[str, Key]:
    """Keys of the kinds we accept signatures from; others in the set are passed over (RFC 7517 §5)."""
    keys: dict[str, Key] = {}
    for data in document["keys"]:
        if not isinstance(data, dict) or data.get("kty") not in _KINDS:
            continue
        try:
            key = import_key(data)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if _strong(key):
            key.ensure_kid()
            keys[key.kid or ""] = key
    return keys


def _strong(key: Key) -> bool:
    if isinstance(key, RSAKey):
        return key.public_key.key_size >= RSA_BITS
    return (isinstance(key, OKPKey) and key.curve_name == "Ed25519") or (
        isinstance(key, ECKey) and key.curve_name == "P-256"
    )
