"""Two units with people, old records and a system that asks, on real servers; and how one asks there."""

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import httpx2
from claims_town import ADMINISTRATOR, Person, Registrant, town_in
from country import Country, Record, Somebody
from crew import PATIENCE, Crew, insists
from handover_ward import delegation_rules

from settings import Settings
from wire.client import connect

REGISTERED = (2, 1)
"""Legacy backups of the one person on record of each unit."""


class Resident(NamedTuple):
    """Somebody, and what the model knows of them."""

    person: Person
    model: Somebody


class Village:
    """The real servers, an API in this process, and a crew that works.

    Attributes:
        do: Runs a coroutine to its end.
    """

    def __init__(self, runner: asyncio.Runner, settings: Settings, folder: Path) -> None:
        self.do = runner.run
        self.crew = Crew(settings, folder)
        self._open = AsyncExitStack()
        client = self.do(connect(settings))
        town = town_in(settings, client, delegation_rules(), working=False)
        self.town = self.do(self._open.enter_async_context(town))

    def close(self) -> None:
        self.do(self._open.aclose())
        self.crew.close()

    def asks(
        self,
        who: Person,
        method: str,
        path: str,
        dies: float | None = None,
        wait: tuple[int, ...] = (202,),
        **request: Any,
    ) -> httpx2.Response:
        """Ask until there is an answer, although a worker may die meanwhile."""
        key = str(uuid4())
        headers = {"Idempotency-Key": key, **request.pop("headers", {})}

        def ask() -> Awaitable[httpx2.Response]:
            return who.http.request(method, path, headers=headers, **request)

        return self.do(self._insisting(ask, dies, wait))

    def tells(
        self, system: httpx2.AsyncClient, path: str, dies: float | None, said: dict[str, Any]
    ) -> httpx2.Response:
        """A system tells something, likewise."""
        return self.do(self._insisting(lambda: system.post(path, json=said), dies, ()))

    def proves(self, who: Person, path: str, claim: UUID, dies: float | None) -> None:
        """Type the code that came."""
        code = self.do(self.town.code(claim))
        answer = self.asks(who, "POST", f"{path}/code-attempts", dies, json={"code": code})
        assert answer.status_code == 200, answer.text

    def settled(self, who: Person, path: str, *states: str) -> Any:
        """Wait until a claim stands so; how it stands."""
        return self.do(self._settled(who, path, states))

    async def _settled(self, who: Person, path: str, states: tuple[str, ...]) -> Any:
        async with asyncio.timeout(PATIENCE):
            while (shown := await who.gets(path))["state"] not in states:  # noqa: ASYNC110 - in the database
                await asyncio.sleep(0.1)
        return shown

    async def _insisting(
        self, ask: Callable[[], Awaitable[httpx2.Response]], dies: float | None, wait: tuple[int, ...]
    ) -> httpx2.Response:
        async with self.crew.dying(dies):
            return await insists(ask, *wait)

    def system(self) -> httpx2.AsyncClient:
        """A system that asks, with a quota of its own."""
        token = self.town.issuer.service_token(f"system-{uuid4()}", "eligibility prior-reports")
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.town.app),
            base_url="http://town",
            headers={"Authorization": f"Bearer {token}", "Accept-Language": "en"},
            timeout=60,
        )


class Households:
    """Who lives in the village during one example."""

    def __init__(self, village: Village) -> None:
        do, town = village.do, village.town
        self.country = Country()
        self.units = [town.unit(), town.unit()]
        self.chiefs = [do(town.person(unit, ADMINISTRATOR)) for unit in self.units]
        self.residents = [self._moved_in(village, unit) for unit in self.units for _ in range(2)]
        self.old: list[tuple[Registrant, list[Record]]] = []
        for unit, backups in zip(self.units, REGISTERED, strict=True):
            was = town.registrant(unit, backups)
            rows = town.rows("SELECT id, number FROM backup WHERE registrant_id = :id", id=was.id)
            theirs = [Record(id_, unit, "numbered", number, 0, legacy=True) for id_, number in rows]
            self.old.append((was, theirs))
            self.country.backups += theirs
        self.country.instants.append(datetime.now(UTC))

    def _moved_in(self, village: Village, unit: str) -> Resident:
        person = village.do(village.town.person(unit))
        somebody = Somebody(person.account)
        self.country.people.append(somebody)
        self.says(Resident(person, somebody), unit)
        return Resident(person, somebody)

    @staticmethod
    def says(who: Resident, unit: str | None) -> None:
        """What the token says that somebody has just shown, since when it was issued."""
        payload = who.person.http.headers["Authorization"].split(".")[1]
        issued = json.loads(urlsafe_b64decode(payload + "=="))["iat"]
        who.model.said.append((datetime.fromtimestamp(issued, UTC), unit))
