import base64
import hmac
import json
import stat
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws, jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from starlette.testclient import TestClient
from structlog.testing import capture_logs
from typer.testing import CliRunner

from api import problems
from api.auth import LEEWAY, LONGEST, Authenticator, IdentityDep, PersonDep
from api.keys import AGE, PAUSE, PublicKeys
from api.tokens import AUDIENCE, ISSUER, PEOPLE, UNITS, DevelopmentIssuer
from cli.token import token as token_command
from schemas.errors import Refusal

pytestmark = pytest.mark.filterwarnings("ignore:Key size should be:joserfc.errors.SecurityWarning")

ISS, AUD, NOW = "https://issuer.example", "hgrip", 1_800_000_000
NAME, PHONE, UNIT = "金丝雀", "+8613912345678", "12990000EX00000106"

ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
with warnings.catch_warnings(action="ignore"):
    WEAK_RSA = RSAKey.generate_key(1024, {"kid": "weak"})
OTHER_CURVE = OKPKey.generate_key("Ed448", {"kid": "ed448"})
STRANGER = OKPKey.generate_key("Ed25519", {"kid": "ed"})
SECRET = OctKey.generate_key(256, {"kid": "oct"})


def public(*keys: Key) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False) for key in keys]}


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a good token; a change to None leaves the claim out."""
    good = {
        "iss": ISS,
        "aud": AUD,
        "sub": "u-1",
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 600,
        "name": NAME,
        "phone_number": PHONE,
        "unit_code": UNIT,
        "unit_name": "示例大学附属医院",
        "real_name_verified": True,
        "unit_authorised": True,
        "roles": ["person"],
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def signed(
    key: Key = ED, alg: str = "Ed25519", header: dict[str, Any] | None = None, /, **changes: Any
) -> str:
    """A token; header members changed to None are left out."""
    members = {"alg": alg, "kid": key.kid, "typ": "at+jwt"} | (header or {})
    members = {name: value for name, value in members.items() if value is not None}
    registry = jws.JWSRegistry(algorithms=[alg], strict_check_header=False)
    with warnings.catch_warnings(action="ignore"):
        return jwt.encode(members, claims(**changes), key, registry=registry, default_type=None)


def by_issuer(content: bytes) -> bytes:
    private = ED.private_key
    assert isinstance(private, Ed25519PrivateKey)
    return private.sign(content)


def raw(header: Any, payload: bytes, sign: Callable[[bytes], bytes] = by_issuer) -> str:
    """A token of any shape."""
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=") for part in (json.dumps(header).encode(), payload)]
    content = b".".join(parts)
    return (content + b"." + base64.urlsafe_b64encode(sign(content)).rstrip(b"=")).decode()


def hs256(secret: bytes) -> str:
    """A token whose signature anybody can make who knows the secret."""
    return raw({"alg": "HS256", "kid": "ed", "typ": "JWT"}, BODY, lambda x: hmac.digest(secret, x, "sha256"))


def authenticator(folder: Path, *keys: Key, now: float = NOW) -> Authenticator:
    jwks = folder / "jwks.json"
    jwks.write_text(json.dumps(public(*(keys or (ED, EC, RSA, WEAK_RSA, OTHER_CURVE)))))
    return Authenticator(ISS, AUD, str(jwks), clock=lambda: now)


async def refusal_of(checker: Authenticator, token: str) -> str:
    with pytest.raises(Refusal) as refused:
        await checker.identify(token)
    return refused.value.error.code


# --- good tokens ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "alg", "header"),
    [
        (ED, "Ed25519", {}),
        (ED, "EdDSA", {}),
        (EC, "ES256", {}),
        (RSA, "RS256", {}),
        (ED, "Ed25519", {"typ": "JWT"}),
        (ED, "Ed25519", {"typ": "application/at+jwt"}),
        (ED, "Ed25519", {"a private header": 1}),
    ],
)
async def test_a_token_signed_by_the_issuer_tells_who_asks(
    tmp_path: Path, key: Key, alg: str, header: dict[str, Any]
) -> None:
    who = await authenticator(tmp_path).identify(signed(key, alg, header))
    assert (who.name, who.phone, who.unit_code, set(who.roles)) == (NAME, PHONE, UNIT, {"person"})
    assert who.real_name_verified
    assert who.unit_authorised


async def test_an_account_id_depends_on_issuer_and_subject_alone(tmp_path: Path) -> None:
    checker = authenticator(tmp_path)
    first = await checker.identify(signed())
    again = await checker.identify(signed(EC, "ES256", name="改名", exp=NOW + 9))
    other = await checker.identify(signed(sub="u-2"))
    elsewhere = await Authenticator("b", AUD, str(tmp_path / "jwks.json"), lambda: NOW).identify(
        signed(iss="b")
    )
    assert first.account_id == again.account_id
    assert len({first.account_id, other.account_id, elsewhere.account_id}) == 3


async def test_an_identity_shows_no_person_when_printed(tmp_path: Path) -> None:
    who = await authenticator(tmp_path).identify(signed())
    assert not {NAME, PHONE, PHONE[3:]} & set(repr(who).split("'"))
    assert NAME not in f"{who}"
    assert PHONE[3:] not in f"{who!r} {replace(who, roles=frozenset())}"


async def test_a_token_without_key_id_is_checked_with_the_only_key(tmp_path: Path) -> None:
    nameless = signed(ED, "Ed25519", {"kid": None})
    assert (await authenticator(tmp_path, ED).identify(nameless)).name == NAME
    assert await refusal_of(authenticator(tmp_path, ED, EC), nameless) == "unauthenticated"


async def test_missing_checks_and_unknown_roles_give_no_rights(tmp_path: Path) -> None:
    bare = dict.fromkeys(
        ("name", "phone_number", "unit_code", "unit_name", "real_name_verified", "unit_authorised", "nbf")
    )
    who = await authenticator(tmp_path).identify(signed(**bare, roles=["person", "emperor"]))
    assert (who.real_name_verified, who.unit_authorised, set(who.roles)) == (False, False, {"person"})


# --- hostile tokens -------------------------------------------------------------------------------------

PEM = ED.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
BODY = json.dumps(claims()).encode()

GOOD = signed()
HOSTILE = {
    "empty": "",
    "one part": "abc",
    "four parts": signed() + ".x",
    "not ASCII": signed() + "é",
    "lone surrogate": "\ud800",
    "bad base64": "!!!.###.$$$",
    "padded base64": signed() + "=",
    "header is a list": raw(["alg"], BODY),
    "header is text": raw("alg", BODY),
    "header is null": raw(None, BODY),
    "no algorithm": raw({"kid": "ed", "typ": "JWT"}, BODY),
    "algorithm is a list": raw({"alg": ["Ed25519"], "kid": "ed", "typ": "JWT"}, BODY),
    "alg none, unsigned": raw({"alg": "none", "kid": "ed", "typ": "JWT"}, BODY, lambda _: b""),
    "alg NONE": raw({"alg": "NONE", "kid": "ed", "typ": "JWT"}, BODY),
    "HS256 with the public key as secret": hs256(PEM),
    "HS256 with the raw public key": hs256(ED.public_key.public_bytes(Encoding.Raw, PublicFormat.Raw)),
    "a secret in the key set": signed(SECRET, "HS256"),
    "another's key under a known id": signed(STRANGER),
    "RSA key that is too short": signed(WEAK_RSA, "RS256"),
    "another curve": signed(OTHER_CURVE, "EdDSA"),
    "an algorithm we do not accept": signed(RSA, "PS256"),
    "key of another algorithm": signed(ED, "Ed25519", {"kid": "rsa"}),
    "unknown key id": signed(ED, "Ed25519", {"kid": "nobody"}),
    "key id is a path": signed(ED, "Ed25519", {"kid": "../../../../dev/null"}),
    "key id is SQL": signed(ED, "Ed25519", {"kid": "' OR 1=1 --"}),
    "key id is a number": raw({"alg": "Ed25519", "kid": 5, "typ": "JWT"}, BODY),
    "key id is a list": raw({"alg": "Ed25519", "kid": ["ed"], "typ": "JWT"}, BODY),
    "key brought along": signed(STRANGER, "Ed25519", {"jwk": STRANGER.as_dict(private=False)}),
    "key set brought along": signed(STRANGER, "Ed25519", {"jku": "https://evil.example/jwks.json"}),
    "certificate brought along": signed(STRANGER, "Ed25519", {"x5u": "https://evil.example/c.pem"}),
    "critical extension": raw({"alg": "Ed25519", "kid": "ed", "typ": "JWT", "crit": ["x"], "x": 1}, BODY),
    "critical header we know": signed(ED, "Ed25519", {"crit": ["kid"]}),
    "detached payload": signed(ED, "Ed25519", {"b64": False, "crit": ["b64"]}),
    "not meant as an access token": signed(ED, "Ed25519", {"typ": "logout+jwt"}),
    "no type": signed(ED, "Ed25519", {"typ": None}),
    "payload is not JSON": raw({"alg": "Ed25519", "kid": "ed", "typ": "JWT"}, b"hello"),
    "payload is a list": raw({"alg": "Ed25519", "kid": "ed", "typ": "JWT"}, b"[]"),
    "payload is nested deeply": raw({"alg": "Ed25519", "kid": "ed", "typ": "JWT"}, b"[" * 5000),
    "payload is not UTF-8": raw({"alg": "Ed25519", "kid": "ed", "typ": "JWT"}, b'{"sub": "\xff"}'),
    "a claim twice": raw({"alg": "Ed25519", "kid": "ed", "typ": "JWT"}, BODY[:-1] + b', "sub": "u-2"}'),
    "signature cut": signed()[:-20],
    "signature of another token": signed().rpartition(".")[0] + "." + signed(sub="u-9").rpartition(".")[2],
    "no issuer": signed(iss=None),
    "another issuer": signed(iss="https://evil.example"),
    "issuers": signed(iss=[ISS]),
    "no audience": signed(aud=None),
    "another audience": signed(aud="other"),
    "no subject": signed(sub=None),
    "empty subject": signed(sub=""),
    "subject is a number": signed(sub=7),
    "no expiry": signed(exp=None),
    "expiry is text": signed(exp=str(NOW + 600)),
    "expiry is not a number": signed(exp=float("nan")),
    "no time of issue": signed(iat=None),
    "issued in the future": signed(iat=NOW + LEEWAY + 1),
    "not yet valid": signed(nbf=NOW + LEEWAY + 1),
    "verified is text": signed(real_name_verified="true"),
    "phone is not E.164": signed(phone_number="13912345678"),
    "phone with a line break": signed(phone_number=PHONE + "\n"),
    "unit code too short": signed(unit_code="1299"),
    "verified without name": signed(name=None),
    "authorised without unit": signed(unit_code=None),
    "roles are text": signed(roles="operator"),
    "huge": signed(padding="x" * LONGEST),
    "just too long": "x" * (LONGEST + 1),
}


@pytest.mark.parametrize("token", HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_token_is_refused_without_telling_why_or_what(tmp_path: Path, token: str) -> None:
    with capture_logs() as logs:
        assert await refusal_of(authenticator(tmp_path), token) == "unauthenticated"
    told = str(logs)
    assert NAME not in told
    assert PHONE[3:] not in told
    assert len(token) < 20 or token[-20:] not in told


async def test_the_clocks_may_differ_by_the_leeway_and_no_more(tmp_path: Path) -> None:
    in_time = authenticator(tmp_path, now=NOW + 600 + LEEWAY - 1)
    too_late = authenticator(tmp_path, now=NOW + 600 + LEEWAY + 1)
    early = authenticator(tmp_path, now=NOW - LEEWAY)
    assert (await in_time.identify(signed())).name == NAME
    assert (await early.identify(signed())).name == NAME
    assert await refusal_of(too_late, signed()) == "token_expired"


async def test_an_expired_token_of_a_stranger_is_not_called_expired(tmp_path: Path) -> None:
    assert await refusal_of(authenticator(tmp_path), signed(STRANGER, exp=NOW - 99)) == "unauthenticated"


@given(place=st.integers(0, 10_000), letter=st.sampled_from("AZaz09-_.= é"))
@settings(max_examples=150, deadline=None)
async def test_a_token_with_one_character_changed_is_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, letter: str
) -> None:
    good = GOOD
    place %= len(good)
    changed = good[:place] + letter + good[place + 1 :]
    checker = authenticator(tmp_path_factory.getbasetemp())
    if changed != good:
        assert await refusal_of(checker, changed) == "unauthenticated"


@given(st.text(max_size=80) | st.text("abc.{}[]\"'=-_", max_size=80))
@settings(max_examples=100, deadline=None)
async def test_any_text_as_a_token_is_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    assert await refusal_of(authenticator(tmp_path_factory.getbasetemp()), text) == "unauthenticated"


# --- the issuer's keys ----------------------------------------------------------------------------------


class KeyServer:
    """A JWKS address whose answer can be changed, and a clock."""

    def __init__(self) -> None:
        self.answer: Any = public(ED)
        self.asked: list[str] = []
        self.now = float(NOW)
        self.keys = PublicKeys("https://issuer.example/jwks", self.clock, httpx2.MockTransport(self._respond))
        self.checker = Authenticator(ISS, AUD, self.keys, self.clock)

    def clock(self) -> float:
        return self.now

    def _respond(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(str(request.url))
        if isinstance(self.answer, Exception):
            raise self.answer
        if isinstance(self.answer, int):
            return httpx2.Response(self.answer, headers={"Location": "https://evil.example/"})
        return httpx2.Response(200, json=self.answer)


async def test_keys_are_fetched_once_and_again_for_an_unknown_key_id_at_most_once_a_minute() -> None:
    server = KeyServer()
    for _ in range(3):
        await server.checker.identify(signed())
    assert len(server.asked) == 1

    server.answer = public(ED, EC)
    assert await refusal_of(server.checker, signed(EC, "ES256")) == "unauthenticated"
    server.now += PAUSE
    await server.checker.identify(signed(EC, "ES256"))
    for number in range(5):
        assert (
            await refusal_of(server.checker, signed(ED, "Ed25519", {"kid": f"k{number}"}))
            == "unauthenticated"
        )
    assert server.asked == ["https://issuer.example/jwks"] * 2


async def test_a_key_that_the_issuer_withdrew_stops_working() -> None:
    server = KeyServer()
    token = signed(exp=NOW + 2 * AGE)
    await server.checker.identify(token)
    server.answer = public(EC)
    server.now += AGE + 1
    assert await refusal_of(server.checker, token) == "unauthenticated"


@pytest.mark.parametrize(
    "fault",
    [500, 302, httpx2.ConnectError("away"), httpx2.ReadTimeout("slow"), {"no": "keys"}, [], {"keys": 5}],
)
async def test_the_last_good_keys_stay_while_the_issuer_is_away(fault: Any) -> None:
    server = KeyServer()
    token = signed(exp=NOW + 2 * AGE)
    await server.checker.identify(token)
    server.answer = fault
    server.now += AGE + 1
    assert (await server.checker.identify(token)).name == NAME
    assert await refusal_of(server.checker, signed(EC, "ES256", exp=NOW + 2 * AGE)) == "sign_in_unavailable"
    assert len(server.asked) == 2


async def test_without_any_keys_nobody_is_called_unauthenticated(tmp_path: Path) -> None:
    checker = Authenticator(ISS, AUD, str(tmp_path / "later.json"), lambda: NOW)
    assert await refusal_of(checker, signed()) == "sign_in_unavailable"
    (tmp_path / "later.json").write_text(json.dumps(public(ED)))
    assert (await checker.identify(signed())).name == NAME


async def test_a_broken_or_foreign_key_in_the_set_does_not_spoil_the_others() -> None:
    server = KeyServer()
    broken = [{"kty": "OKP", "crv": "Ed25519", "x": "?"}, {"kty": "LATTICE"}, {"kid": "x"}, "key", 5]
    server.answer = {"keys": [*broken, SECRET.as_dict(), *public(ED)["keys"]]}
    assert (await server.checker.identify(signed())).name == NAME


# --- over HTTP ------------------------------------------------------------------------------------------


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    app = FastAPI(responses=problems.RESPONSES)
    problems.install(app)
    app.state.authenticator = authenticator(tmp_path)

    @app.get("/who")
    async def who(who: IdentityDep) -> str:
        return str(who.account_id)

    @app.get("/backups")
    async def backups(person: PersonDep) -> str:
        return person.unit_code

    with TestClient(app) as client:
        yield client


def bearing(*tokens: str) -> list[tuple[str, str]]:
    return [("Authorization", f"Bearer {token}") for token in tokens]


@pytest.mark.parametrize(
    "headers",
    [[], [("Authorization", "Basic eDp5")], [("Authorization", "Bearer")], bearing(signed(), signed())],
)
def test_a_request_without_one_bearer_token_is_unauthenticated(client: TestClient, headers: Any) -> None:
    answer = client.get("/who", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert ("invalid_token" in answer.headers["WWW-Authenticate"]) == bool(headers)


def test_a_token_in_the_address_is_not_looked_at(client: TestClient) -> None:
    answer = client.get("/who", params={"access_token": signed()})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/unknown_field")


def test_an_expired_token_is_told_apart_from_a_bad_one(client: TestClient) -> None:
    answer = client.get("/who", headers=bearing(signed(exp=NOW - 60)))
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/token_expired")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"real_name_verified": False}, "real_name_missing"),
        ({"real_name_verified": False, "unit_authorised": False}, "real_name_missing"),
        ({"unit_authorised": False}, "unit_authorisation_missing"),
        ({"roles": ["operator"]}, "not_allowed"),
        ({"roles": []}, "not_allowed"),
    ],
)
def test_a_person_is_told_which_step_is_missing_and_where_to_do_it(
    client: TestClient, changes: dict[str, Any], code: str
) -> None:
    headers = bearing(signed(**changes))
    answer = client.get("/backups", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (403, f"/problems/{code}")
    if code != "not_allowed":
        assert "https://apply.hgrg.net" in answer.json()["detail"]
    assert client.get("/who", headers=headers).status_code == 200


def test_an_authorised_person_gets_through(client: TestClient) -> None:
    assert client.get("/backups", headers=bearing(signed())).json() == UNIT


# --- the development issuer -----------------------------------------------------------------------------


async def test_the_development_issuer_keeps_its_key_to_its_owner_and_across_runs(tmp_path: Path) -> None:
    first = DevelopmentIssuer(tmp_path / "issuer")
    token = first.token("zhang")
    checker = Authenticator(ISSUER, AUDIENCE, str(first.jwks))
    assert stat.S_IMODE((tmp_path / "issuer" / "key.json").stat().st_mode) == 0o600
    assert "d" not in json.loads(first.jwks.read_text())["keys"][0]

    second = DevelopmentIssuer(tmp_path / "issuer").token("zhang", unit="institute")
    who, later = await checker.identify(token), await checker.identify(second)
    assert who.account_id == later.account_id
    assert (who.unit_code, later.unit_code) == (UNITS["hospital"].code, UNITS["institute"].code)


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_fictitious_units_have_codes_with_right_check_characters(unit: Any) -> None:
    letters = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100-2015
    weighed = sum(letters.index(letter) * 3**place for place, letter in enumerate(unit.code[:17]))
    assert (weighed + letters.index(unit.code[17])) % 31 == 0
    inner = unit.code[8:17]  # GB 11714-1997
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    weights = (3, 7, 9, 10, 5, 8, 4, 2)
    weighed = sum(digits.index(letter) * weight for letter, weight in zip(inner, weights, strict=False))
    assert (weighed + (10 if inner[8] == "X" else int(inner[8]))) % 11 == 0


def test_fictitious_people_have_numbers_that_no_subscriber_has() -> None:
    assert len({person.phone for person in PEOPLE.values()}) == len(PEOPLE)
    assert all(person.phone.startswith("+86154") for person in PEOPLE.values())


async def test_the_command_prints_a_token_and_says_it_is_for_development(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(token_command)
    options = [
        "--folder",
        str(tmp_path),
        "--person",
        "li",
        "--role",
        "unit_administrator",
        "--no-real-name",
        "--json",
    ]
    done = CliRunner().invoke(app, options)
    assert done.exit_code == 0
    assert "Development only" in done.stderr
    who = await Authenticator(ISSUER, AUDIENCE, str(tmp_path / "issuer" / "jwks.json")).identify(
        json.loads(done.stdout)["access_token"]
    )
    assert (who.name, who.real_name_verified, who.unit_authorised) == (PEOPLE["li"].name, False, True)
    assert who.roles == {"person", "unit_administrator"}
    assert CliRunner().invoke(app, ["--folder", str(tmp_path), "--person", "nobody"]).exit_code == 2
