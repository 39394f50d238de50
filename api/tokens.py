"""Development only: an issuer of tokens for fictitious people, in place of the HGR service system.

Whoever holds its key can be anybody, so a real deployment never names its key set in ``HGRIP_JWKS``.
"""

import json
import os
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from joserfc import jwt
from joserfc.jwk import OKPKey

from api.auth import Role

ISSUER = "hgrip-development"
AUDIENCE = "hgrip"
HOURS = 12


class FictitiousUnit(NamedTuple):
    """A unit that does not exist; its code is well-formed, with 990000 as place, which no place has."""

    code: str
    name: str


class FictitiousPerson(NamedTuple):
    """A person who does not exist; prefix 154 is given to no subscriber."""

    name: str
    phone: str
    unit: str
    roles: tuple[Role, ...] = ("person",)


UNITS = {
    "hospital": FictitiousUnit("12990000EX00000106", "示例大学附属医院"),
    "institute": FictitiousUnit("52990000EX0000029Y", "示例生命科学研究院"),
}
PEOPLE = {
    "zhang": FictitiousPerson("张示例", "+8615400000001", "hospital"),
    "li": FictitiousPerson("李示例", "+8615400000002", "hospital"),
    "chen": FictitiousPerson("陈示例", "+8615400000003", "hospital", ("person", "unit_administrator")),
    "wang": FictitiousPerson("王示例", "+8615400000004", "institute"),
    "zhao": FictitiousPerson("赵示例", "+8615400000005", "institute", ("person", "unit_administrator")),
    "operator": FictitiousPerson("平台运维", "+8615400000006", "institute", ("operator",)),
}


class DevelopmentIssuer:
    """Signs tokens with an Ed25519 key that it keeps in a folder."""

    def __init__(self, folder: Path, issuer: str = ISSUER, audience: str = AUDIENCE) -> None:
        """Take the key of this folder; the first time, make one, and ``jwks.json`` beside it.

        Args:
            folder: Made where missing; the key is readable by its owner alone.
            issuer: ``iss`` of the tokens.
            audience: ``aud`` of the tokens.
        """
        self._issuer = issuer
        self._audience = audience
        self.jwks = folder / "jwks.json"
        """The public key set, for the setting ``HGRIP_JWKS``."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        private = folder / "key.json"
        if not private.exists():
            new = OKPKey.generate_key("Ed25519", auto_kid=True)
            _write_once(private, json.dumps(new.as_dict(private=True)))
        self._key = OKPKey.import_key(json.loads(private.read_text()))
        if not self.jwks.exists():
            _write_once(self.jwks, json.dumps({"keys": [self._key.as_dict(private=False)]}))

    def token(
        self,
        person: str,
        *,
        unit: str | None = None,
        roles: tuple[Role, ...] | None = None,
        real_name_verified: bool = True,
        unit_authorised: bool = True,
        hours: float = HOURS,
    ) -> str:
        """A signed token for one of `PEOPLE`.

        Args:
            person: Key of `PEOPLE`.
            unit: Key of `UNITS`; None for the person's own.
            roles: None for the person's own.
            real_name_verified: Whether the real-name check is done.
            unit_authorised: Whether the unit has authorised the person.
            hours: How long the token is valid.

        Raises:
            KeyError: No such person or unit.
        """
        who = PEOPLE[person]
        where = UNITS[unit or who.unit]
        claims = {
            "name": who.name,
            "phone_number": who.phone,
            "real_name_verified": real_name_verified,
            "unit_authorised": unit_authorised,
            "roles": list(roles or who.roles),
        }
        if unit_authorised:
            claims |= {"unit_code": where.code, "unit_name": where.name}
        return self._signed(person, hours, claims)

    def service_token(self, client: str, scope: str, *, hours: float = HOURS) -> str:
        """A signed token for a system, as client credentials give it (RFC 6749 §4.4, RFC 9068).

        Args:
            client: Its client id.
            scope: What it may ask for, apart by blanks.
            hours: How long the token is valid.
        """
        return self._signed(client, hours, {"client_id": client, "scope": scope})

    def _signed(self, subject: str, hours: float, said: dict[str, Any]) -> str:
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": subject,
            "jti": str(uuid.uuid4()),
            "iat": now,
            "nbf": now,
            "exp": now + int(hours * 3600),
            **said,
        }
        header = {"alg": "Ed25519", "kid": self._key.kid, "typ": "at+jwt"}
        return jwt.encode(header, claims, self._key, algorithms=["Ed25519"])


def _write_once(path: Path, text: str) -> None:
    """Write a file whole, for its owner alone; where another process was first, its file stays."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    with suppress(FileExistsError):
        os.link(draft, path)
    Path(draft).unlink()
