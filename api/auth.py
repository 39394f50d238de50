"""Who asks: bearer tokens of the HGR service system (RFC 6750, RFC 7519), checked on every request."""

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from joserfc import jws
from joserfc.errors import ExpiredTokenError, JoseError, UnsupportedAlgorithmError
from joserfc.jwt import JWTClaimsRegistry
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from api.keys import PublicKeys
from schemas.errors import Refusal

log = structlog.get_logger()

Role = Literal["person", "unit_administrator", "policy", "operator", "auditor"]
ROLES: tuple[Role, ...] = ("person", "unit_administrator", "policy", "operator", "auditor")

LEEWAY = 30
"""Seconds by which the issuer's clock may differ from ours."""
LONGEST = 8192
"""Characters of the longest token that is looked at."""
_TYPES = {"jwt", "at+jwt", "application/at+jwt"}
_ACCOUNTS = uuid.UUID("0a38c593-4ade-4321-8249-97fb1391af69")


@dataclass(frozen=True)
class Identity:
    """What a checked token says of the account (账号). Its repr shows neither name nor phone.

    Attributes:
        account_id: UUID version 5 of issuer and subject.
        name: Real name; empty only where there has been no real-name check.
        phone: E.164; empty likewise.
        unit_code: Unified social credit code (统一社会信用代码); empty only without a unit's authorisation.
        unit_name: Name of the unit; empty likewise.
        real_name_verified: Real-name check (实名认证) done.
        unit_authorised: Authorisation by the unit (法人授权) in force.
        roles: What the account may act as.
        scopes: What a system (client credentials, RFC 6749 §4.4) may ask for.
        issued_at: When the token was issued: since then what it says is known to hold.
    """

    account_id: uuid.UUID
    name: str = field(repr=False)
    phone: str = field(repr=False)
    unit_code: str
    unit_name: str
    real_name_verified: bool
    unit_authorised: bool
    roles: frozenset[Role]
    scopes: frozenset[str] = frozenset()
    issued_at: datetime | None = field(default=None, compare=False)


class _Claims(BaseModel):
    """The claims we read, as the HGR service system writes them; others are passed over."""

    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)

    sub: str = Field(min_length=1, max_length=255)
    name: str = Field(default="", max_length=100)
    phone_number: str = Field(default="", pattern=r"^(\+[1-9][0-9]{7,14})?$")
    unit_code: str = Field(default="", pattern=r"^([0-9A-HJ-NPQRTUWXY]{18})?$")
    unit_name: str = Field(default="", max_length=200)
    real_name_verified: bool = False
    unit_authorised: bool = False
    roles: list[str] = []
    scope: str = Field(default="", max_length=1000)
    iat: float = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.real_name_verified and not (self.name and self.phone_number):
            raise ValueError("a verified person has a name and a phone number")
        if self.unit_authorised and not (self.unit_code and self.unit_name):
            raise ValueError("an authorising unit has a code and a name")
        return self


class _Algorithms(jws.JWSRegistry):
    """The signature algorithms we accept: public keys only, so that no public key can serve as a secret."""

    accepted = ("Ed25519", "EdDSA", "ES256", "RS256")  # EdDSA: older name of Ed25519, still what most issue

    def get_alg(self, name: str) -> Any:
        """The algorithm, without joserfc's warning that issuers should no longer write EdDSA."""
        if name not in self.accepted:
            raise UnsupportedAlgorithmError
        return self.algorithms[name]


class Authenticator:
    """Checks tokens of one issuer, meant for one audience."""

    def __init__(
        self, issuer: str, audience: str, jwks: str | PublicKeys, clock: Callable[[], float] = time.time
    ) -> None:
        """Name whom to trust.

        Args:
            issuer: ``iss`` of the tokens.
            audience: ``aud`` of the tokens.
            jwks: Path or URL of the issuer's key set.
            clock: Seconds since 1970.
        """
        self._issuer = issuer
        self._keys = jwks if isinstance(jwks, PublicKeys) else PublicKeys(jwks, clock)
        self._algorithms = _Algorithms(strict_check_header=False)  # RFC 7515 §4: unknown headers are ignored
        self._claims = JWTClaimsRegistry(
            now=lambda: int(clock()),
            leeway=LEEWAY,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )

    async def identify(self, token: str) -> Identity:
        """Check a token and read from it who asks.

        Raises:
            Refusal: ``unauthenticated``, ``token_expired`` or ``sign_in_unavailable``. Why a token is bad is
                not told: that helps only who forges one.
        """
        try:
            claims = await self._verified_claims(token)
            self._claims.validate(claims)
            return self._identity(_Claims.model_validate(claims))
        except ExpiredTokenError:
            raise Refusal("token_expired") from None
        except ValidationError as error:
            claim_names = sorted({str(fault["loc"][0]) for fault in error.errors() if fault["loc"]})
            log.warning("claims of a genuine token are not as agreed", claims=claim_names)
            raise Refusal("unauthenticated") from None
        except (JoseError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
            raise Refusal("unauthenticated") from None  # whatever a hostile token makes a parser raise

    async def _verified_claims(self, token: str) -> dict[str, Any]:
        if len(token) > LONGEST:
            raise ValueError("too long")
        signed = jws.extract_compact(token.encode("ascii"), registry=self._algorithms)
        headers = signed.headers()
        key = await self._keys.find(headers.get("kid"))
        if key is None or not jws.validate_compact(signed, key, registry=self._algorithms):
            raise ValueError("not signed by the issuer")
        if headers.get("typ", "").lower() not in _TYPES or headers.keys() & {"crit", "b64"}:
            raise ValueError("not an access token")
        claims = json.loads(signed.payload or b"", object_pairs_hook=_unique)
        if not isinstance(claims, dict):
            raise TypeError("claims are an object")
        return claims

    def _identity(self, claims: _Claims) -> Identity:
        return Identity(
            account_id=uuid.uuid5(_ACCOUNTS, f"{self._issuer}|{claims.sub}"),
            name=claims.name,
            phone=claims.phone_number,
            unit_code=claims.unit_code,
            unit_name=claims.unit_name,
            real_name_verified=claims.real_name_verified,
            unit_authorised=claims.unit_authorised,
            roles=frozenset(role for role in ROLES if role in claims.roles),
            scopes=frozenset(claims.scope.split()),
            issued_at=datetime.fromtimestamp(claims.iat, UTC),
        )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a claim is there twice")  # RFC 7519 §4
    return members


_bearer = HTTPBearer(
    bearerFormat="JWT", description="人遗系统签发的令牌 / Token of the HGR service system", auto_error=False
)


async def identity(
    request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Identity:
    """Dependency: who asks, by the `Authenticator` in ``app.state.authenticator``.

    Raises:
        Refusal: As `Authenticator.identify`.
    """
    if bearer is None or len(request.headers.getlist("authorization")) > 1:
        raise Refusal("unauthenticated")
    authenticator: Authenticator = request.app.state.authenticator
    return await authenticator.identify(bearer.credentials)


IdentityDep = Annotated[Identity, Depends(identity)]


def require_authorised(who: Identity) -> None:
    """A person who may work with backups (notice, section 一).

    Raises:
        Refusal: ``not_allowed``, ``real_name_missing`` or ``unit_authorisation_missing``.
    """
    if "person" not in who.roles:
        raise Refusal("not_allowed")
    if not who.real_name_verified:
        raise Refusal("real_name_missing")
    if not who.unit_authorised:
        raise Refusal("unit_authorisation_missing")


async def authorised_person(who: IdentityDep) -> Identity:
    """Dependency: a person who may work with backups.

    Raises:
        Refusal: As `require_authorised`.
    """
    require_authorised(who)
    return who


PersonDep = Annotated[Identity, Depends(authorised_person)]
