"""A town of made-up people, units and old records, with API and worker on real servers in this process."""

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
from fastapi import FastAPI
from sqlalchemy import Engine, text
from temporalio.client import Client, WorkflowHandle, WorkflowHistory

import api.tokens
import worker
from api.app import create_app
from api.auth import Role
from api.tokens import DevelopmentIssuer, FictitiousPerson, FictitiousUnit
from rules.engine.load import load_rulebook
from rules.engine.persons import normalise_name, normalise_phone
from rules.engine.release import Release
from settings import Settings
from store.database import connect, writing
from store.encryption import ColumnCipher
from store.signers import DevelopmentSigners
from wire.keys import KeyRing

RULES = Path(__file__).parents[2] / "rules"
PATIENCE = 30
ADMINISTRATOR: tuple[Role, ...] = ("person", "unit_administrator")
NOT_ACCEPTED = (422, "code_not_accepted")
CLOSED = (409, "claim_closed")
_NUMBERS = count(1)
_CODE = re.compile(r"验证码(\d+)")


def changed_rules(*, unlimited: bool = False, **policy: Mapping[str, Any]) -> Release:
    """The rules of this repository, in force for long, with another policy for claims."""
    documents = json.loads(load_rulebook(RULES).canonical())
    documents["rulebook"] |= {"version": "2023.7.1", "effective_from": date(2023, 7, 1).isoformat()}
    claiming = documents["procedures/claiming"]
    for part, values in policy.items():
        claiming[part] |= values
    if unlimited:
        claiming["daily_budget"]["messages"] = 10**9
        claiming["limits"] = [limit | {"most": 10**6} for limit in claiming["limits"]]
    return Release(documents)


@dataclass(frozen=True)
class Registrant:
    """Somebody on the old platform, and what they left there."""

    id: UUID
    name: str
    phone: str


class Person:
    """Somebody signed in: an HTTP client, and what one asks with it."""

    def __init__(self, town: "Town", key: str, http: httpx2.AsyncClient, account: UUID) -> None:
        self.town, self.key, self.http, self.account = town, key, http, account

    async def asks(self, method: str, path: str, key: str | None = None, **request: Any) -> httpx2.Response:
        headers = {"Idempotency-Key": key or str(uuid4())} if method == "POST" else {}
        return await self.http.request(method, path, headers=headers, **request)

    async def gets(self, path: str) -> Any:
        answer = await self.asks("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def claims(self, who: Registrant, **request: Any) -> UUID:
        """Open a claim."""
        answer = await self.asks("POST", "/v1/claims", json={"name": who.name, "phone": who.phone}, **request)
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["id"])

    async def tries(
        self, claim: UUID, code: str, key: str | None = None, unit: bool = False
    ) -> httpx2.Response:
        kind = "unit-claims" if unit else "claims"
        return await self.asks("POST", f"/v1/{kind}/{claim}/code-attempts", key, json={"code": code})

    async def proves(self, claim: UUID, unit: bool = False) -> Any:
        """Type the code that came; how the claim stands then."""
        answer = await self.tries(claim, await self.town.code(claim), unit=unit)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def claims_and_proves(self, who: Registrant) -> Any:
        return await self.proves(await self.claims(who))

    async def claim(self, claim: UUID) -> Any:
        return await self.gets(f"/v1/claims/{claim}")

    async def unit_claims(self, who: Registrant, delegate: "Person", **request: Any) -> httpx2.Response:
        said = {"name": who.name, "phone": who.phone, "delegate_account_id": str(delegate.account)}
        return await self.asks("POST", "/v1/unit-claims", json=said, **request)

    async def notices(self) -> list[str]:
        """Kinds of the notices on claims; every account has one on its attribution as well."""
        kinds = [notice["kind"] for notice in (await self.gets("/v1/me/notices"))["notices"]]
        return [kind for kind in kinds if kind != "attribution"]


class Town:
    """Everything a test needs; each test makes its own people, so that no limit is shared by accident."""

    def __init__(self, settings: Settings, client: Client, app: FastAPI, release: Release) -> None:
        self.settings, self.client, self.app = settings, client, app
        self.engine: Engine = connect(settings.database_url.get_secret_value(), pool_size=20)
        self.cipher = ColumnCipher(KeyRing.load(settings.keys_file))
        self.issuer = DevelopmentIssuer(
            Path(settings.jwks).parent, settings.token_issuer, settings.token_audience
        )
        self.signers = DevelopmentSigners(settings.rule_signers)
        self.matching = release.procedure("claiming").matching
        self._open: list[httpx2.AsyncClient] = []
        with writing(self.engine) as writer:
            self.signers.publish(writer, release)

    # --- who lives here ---------------------------------------------------------------------------

    def unit(self) -> str:
        """A new unit; its code."""
        code = f"12990000{next(_NUMBERS):010}"
        api.tokens.UNITS[code] = FictitiousUnit(code, f"示例单位{code[-6:]}")
        return code

    async def person(
        self, unit: str, roles: tuple[Role, ...] = ("person",), name: str = "钱示例", phone: str = ""
    ) -> Person:
        """A new person, signed in from an address of their own."""
        number = next(_NUMBERS)
        key = f"person-{number}"
        api.tokens.PEOPLE[key] = FictitiousPerson(name, phone or f"+86154{number:08}", unit, roles)
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        http = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.app, client=(address, 1)),
            base_url="http://town",
            headers={"Authorization": f"Bearer {self.issuer.token(key)}"},
            timeout=60,
        )
        self._open.append(http)
        answer = await http.post("/v1/me/sign-ins", headers={"Idempotency-Key": str(uuid4())})
        assert answer.status_code == 200, answer.text
        return Person(self, key, http, UUID(answer.json()["account_id"]))

    async def signs_in_as(self, person: Person, **claims: Any) -> None:
        """The person's next token says something else."""
        token = self.issuer.token(person.key, **claims)
        person.http.headers["Authorization"] = f"Bearer {token}"
        await person.asks("POST", "/v1/me/sign-ins")

    def registrant(
        self,
        unit: str | None,
        backups: int = 3,
        *,
        drafts: int = 0,
        unit_name: str | None = None,
        same_as: Registrant | None = None,
        name: str = "孙示例",
    ) -> Registrant:
        """Somebody on record, with so many numbered backups and drafts."""
        number = next(_NUMBERS)
        name, phone = (same_as.name, same_as.phone) if same_as else (name, f"139{number:08}")
        normal = normalise_name(name, self.matching), normalise_phone(phone, self.matching)
        id_ = uuid4()
        with self.engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO legacy_registrant (id, name, phone, person_index, unit_code, unit_name)"
                    " VALUES (:id, :name, :phone, :person_index, :unit, :unit_name)"
                ),
                {
                    "id": id_,
                    "name": self.cipher.encrypt(name, "legacy_registrant", "name", id_),
                    "phone": self.cipher.encrypt(normal[1], "legacy_registrant", "phone", id_),
                    "person_index": self.cipher.person_index(*normal),
                    "unit": unit,
                    "unit_name": unit_name,
                },
            )
            connection.execute(
                text(
                    "INSERT INTO backup (id, state, number, registrant_id, created_at, saved_at)"
                    " SELECT gen_random_uuid(), 'numbered', gen_random_uuid(), :id, :at, :at"
                    " FROM generate_series(1, :backups)"
                ),
                {"id": id_, "at": datetime.now(UTC), "backups": backups},
            )
            connection.execute(
                text(
                    "INSERT INTO legacy_draft (id, registrant_id)"
                    " SELECT gen_random_uuid(), :id FROM generate_series(1, :drafts)"
                ),
                {"id": id_, "drafts": drafts},
            )
            if backups >= 1_000:
                connection.execute(text("ANALYZE"))  # as an import does
        return Registrant(id_, name, phone)

    def stranger(self) -> Registrant:
        """Somebody who is on no record."""
        return Registrant(uuid4(), "李示例", f"139{next(_NUMBERS):08}")

    # --- what is to be seen -----------------------------------------------------------------------

    def value(self, query: str, **parameters: Any) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(text(query), parameters).scalar()

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query), parameters)]

    def holders(self, who: Registrant) -> dict[UUID | None, int]:
        """Who holds somebody's backups, and how many."""
        query = "SELECT delegate_id, count(*) FROM backup WHERE registrant_id = :id GROUP BY 1"
        return dict(self.rows(query, id=who.id))

    def messages(self, claim: UUID) -> list[str]:
        """Codes that were sent for a claim, oldest first, as the phone shows them."""
        query = (
            "SELECT text FROM sms_inbox JOIN sms_message USING (id) WHERE case_id = :claim"
            " ORDER BY arrived_at"
        )
        found = [_CODE.search(words) for (words,) in self.rows(query, claim=claim)]
        return [match[1] for match in found if match]

    async def comes_true(self, query: str, **parameters: Any) -> None:
        """Wait until a query says so."""
        await until(lambda: self.value(query, **parameters))

    async def code(self, claim: UUID, nth: int = 1) -> str:
        """The nth code of a claim, as soon as it is on the phone."""
        await until(lambda: len(self.messages(claim)) >= nth)
        return self.messages(claim)[nth - 1]

    async def looked_up(self, claim: UUID, nth: int = 1) -> None:
        """Wait until a claim's look-up is over, whatever it found."""
        query = "SELECT seq >= :nth FROM verification_code WHERE claim_id = :claim"
        await self.comes_true(query, claim=claim, nth=nth)

    def handle(self, claim: UUID, unit: bool = False) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(f"{'unit-claim' if unit else 'claim'}-{claim}")

    async def history(self, claim: UUID, unit: bool = False) -> WorkflowHistory:
        return await self.handle(claim, unit).fetch_history()

    async def close(self) -> None:
        for http in self._open:
            await http.aclose()
        self.engine.dispose()


async def until(true: Callable[[], object]) -> None:
    """Wait for something that is about to happen."""
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - in the database, which tells nobody
            await asyncio.sleep(0.02)


def refusal(answer: httpx2.Response) -> tuple[int, str]:
    """Status and code of a problem."""
    return answer.status_code, answer.json()["type"].rpartition("/")[2]


def wrong(code: str) -> str:
    """Another code."""
    return f"{(int(code) + random.randrange(1, 10**6)) % 10**6:06}"


@asynccontextmanager
async def town_in(
    settings: Settings, client: Client, release: Release, *, working: bool = True
) -> AsyncIterator[Town]:
    """A town, open while the block lasts; without a worker when the test brings its own."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        town = Town(settings, client, app, release)
        try:
            if working:
                with ThreadPoolExecutor(worker.THREADS) as threads:
                    async with worker.build(settings, client, threads):
                        yield town
            else:
                yield town
        finally:
            await town.close()
