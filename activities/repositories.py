"""Asking the data resource repositories (数据资源库) whether a deposit (递交) is publicly visible."""

import asyncio
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple, Protocol
from urllib.parse import quote, urlencode

import httpx2
import structlog
from pydantic import AliasChoices, BaseModel, Field

log = structlog.get_logger()

Result = Literal["verified_public", "not_public", "mismatch", "unavailable"]

TIMEOUT = 8
"""Seconds a look-up may take from the first byte sent to the last byte read."""
READ_AT_MOST = 256 * 1024
"""Bytes read of one answer; a sequence is longer, but its first line is enough."""
INTERVAL = 0.5
"""Seconds between two questions of one worker: a courtesy, the site answers 429 to the hasty."""
FAILURES = 3
"""Failures in a row after which a repository is left in peace."""
PAUSE = 300
"""Seconds for which it is."""

_ACCESSION = re.compile(r"[A-Z][A-Z_]{2,9}[0-9]{6,12}([.-][0-9]{1,3})?")
_HITS = 10


class LookUp(NamedTuple):
    """What a repository says of one accession.

    Public look-ups show released deposits only, so ``not_public`` says nothing against a deposit.
    """

    result: Result
    source: str


NOT_ASKED = LookUp("unavailable", "not_asked")
"""The answer where no repository was asked."""


class RepositoryLookUp(Protocol):
    """A way to ask repositories. An adapter never raises: a failure is ``unavailable``."""

    def look_up(self, repository: str, accession: str) -> LookUp:
        """Ask one repository for one accession."""


class Offline:
    """Asks nobody; deposits then end their wait by a person's word (``attested``)."""

    def look_up(self, repository: str, accession: str) -> LookUp:
        """Say that nobody was asked."""
        return LookUp("unavailable", "offline")


class Cncb:
    """Asks the public services of CNCB-NGDC (国家生物信息中心); see ``docs/reference/repository-look-up.md``.

    Safe to share between threads. Only what is shaped like an accession leaves this machine: whatever else
    a person typed into that column stays here.
    """

    def __init__(
        self,
        base_url: str,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Name the service; nothing is asked yet.

        Args:
            base_url: Where the services are, such as ``https://ngdc.cncb.ac.cn``.
            clock: Seconds, never going back.
            sleep: Waits for so many seconds.
        """
        self._base_url = base_url.rstrip("/")
        self._tls = httpx2.create_ssl_context()  # building one takes longer than a request
        self._turns = _Turns(clock, sleep)

    def look_up(self, repository: str, accession: str) -> LookUp:
        """Ask one repository for one accession, if it can be asked and has not failed of late."""
        service = _SERVICES.get(repository)
        if service is None or not _ACCESSION.fullmatch(accession):
            return NOT_ASKED
        if not self._turns.take(repository):
            return LookUp("unavailable", service.source)
        try:
            status, body = asyncio.run(self._get(service.path(accession)))
            result = service.judge(accession, status, body)
        except _RefusedError as refused:
            hasty = refused.status == httpx2.codes.TOO_MANY_REQUESTS
            self._note(repository, str(refused), at_once=hasty)
            return LookUp("unavailable", service.source)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            self._note(repository, type(error).__name__, at_once=False)
            return LookUp("unavailable", service.source)
        self._turns.succeeded(repository)
        return LookUp(result, service.source)

    def _note(self, repository: str, failure: str, *, at_once: bool) -> None:
        self._turns.failed(repository, at_once=at_once)
        log.warning("repository look-up failed", repository=repository, failure=failure)

    async def _get(self, path: str) -> tuple[int, bytes]:
        """Status and the first ``READ_AT_MOST`` bytes; redirects are not followed, nothing is unpacked.

        Asynchronous because only so can the whole exchange, and not each read alone, have one limit of time.
        """
        headers = {
            "User-Agent": "hgrip",
            "Accept": "application/json, text/plain",
            "Accept-Encoding": "identity",
        }
        body = b""
        async with (
            asyncio.timeout(TIMEOUT),
            httpx2.AsyncClient(verify=self._tls, headers=headers, timeout=TIMEOUT) as client,
            client.stream("GET", self._base_url + path) as response,
        ):
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) >= READ_AT_MOST:
                    break
        return response.status_code, body[:READ_AT_MOST]


class _Turns:
    """Takes turns in asking: slowly, and for a while not at all where asking failed (circuit breaker)."""

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = float("-inf")
        self._failures: dict[str, int] = {}
        self._closed_until: dict[str, float] = {}

    def take(self, repository: str) -> bool:
        """Wait for a turn; False, at once, while the repository is left in peace."""
        with self._lock:
            now = self._clock()
            if now < self._closed_until.get(repository, now):
                return False
            turn = max(now, self._next)
            self._next = turn + INTERVAL
        self._sleep(turn - now)
        return True

    def failed(self, repository: str, *, at_once: bool) -> None:
        with self._lock:
            failures = FAILURES if at_once else self._failures.get(repository, 0) + 1
            self._failures[repository] = failures
            if failures >= FAILURES:  # after the pause one more failure is enough
                self._closed_until[repository] = self._clock() + PAUSE

    def succeeded(self, repository: str) -> None:
        with self._lock:
            self._failures[repository] = 0


class _RefusedError(ValueError):
    """An answer that says nothing about the accession."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


@dataclass(frozen=True)
class _Service:
    source: str
    path: Callable[[str], str]
    read: Callable[[str, bytes], Result]
    """Raises ValueError for an answer it does not understand."""
    knows_404: bool
    """Whether 404 speaks of the accession; of a search it would speak of the search."""

    def judge(self, accession: str, status: int, body: bytes) -> Result:
        if status == httpx2.codes.NOT_FOUND and self.knows_404:
            return "not_public"
        if status != httpx2.codes.OK:
            raise _RefusedError(status)
        return self.read(accession, body)


class _Assembly(BaseModel):
    """What GWH says of one assembly; unknown ones come as HTTP 200 with every field null."""

    # Clients in the wild read it under either name.
    accession: str | None = Field(validation_alias=AliasChoices("accession", "assemblyAccession"))


class _Attributes(BaseModel):
    accession: str | None = Field(default=None, alias="Accession")


class _Hit(BaseModel):
    attributes: _Attributes = Field(alias="attrs")


class _Page(BaseModel):
    total: Annotated[int, Field(alias="recordsTotal", ge=0)]
    hits: list[_Hit] = Field(alias="data")


class _Found(BaseModel):
    page: _Page = Field(alias="data")


class _SearchAnswer(BaseModel):
    """What BIG Search finds; errors come as HTTP 200 with ``code`` "500" and a null result."""

    code: Literal["200"]
    result: _Found


def _read_assembly(accession: str, body: bytes) -> Result:
    shown = _Assembly.model_validate_json(body).accession
    if not shown:
        return "not_public"
    return "verified_public" if _same(accession, shown) else "mismatch"


def _read_fasta(accession: str, body: bytes) -> Result:
    header = body.partition(b"\n")[0].decode("ascii")
    if not header.startswith(">"):
        raise ValueError("not FASTA")
    names = re.split(r"[|\s]", header.removeprefix(">"))  # ">C_AA004835.1 …", or with a database: ">gb|C_…|"
    return "verified_public" if any(_same(accession, name) for name in names) else "mismatch"


def _read_search(accession: str, body: bytes) -> Result:
    page = _SearchAnswer.model_validate_json(body).result.page
    if any(hit.attributes.accession == _data_set(accession) for hit in page.hits):
        return "verified_public"
    if page.total > len(page.hits):
        raise ValueError("more was found than shown: the search did not go by accession")
    return "not_public"


def _same(asked: str, shown: str) -> bool:
    """Whether two accessions name one deposit; where one has no version, any version will do."""
    number, _, version = asked.partition(".")
    shown_number, _, shown_version = shown.partition(".")
    return number == shown_number and (not version or not shown_version or version == shown_version)


def _data_set(accession: str) -> str:
    """The data set of a file: BIG Search lists ``OMIX004308``, not ``OMIX004308-02``."""
    return accession.partition("-")[0]


def _search(database: str) -> _Service:
    def path(accession: str) -> str:
        exactly = f'attrs.Accession:"{_data_set(accession)}"'
        return "/search/api/specific?" + urlencode(
            {"db": database, "q": exactly, "start": 0, "length": _HITS}
        )

    return _Service("big-search", path, _read_search, knows_404=False)


_SERVICES = {
    "gwh": _Service(
        "gwh-api",
        lambda accession: f"/gwh/api/public/assembly/{quote(accession, safe='')}",
        _read_assembly,
        knows_404=True,
    ),
    "genbase": _Service(
        "genbase-api",
        lambda accession: f"/genbase/api/file/fasta?{urlencode({'acc': accession})}",
        _read_fasta,
        knows_404=True,
    ),
    "gsa-human": _search("hra"),
    "omix": _search("omix"),
}
"""By repository id of the rulebook. GVM has no public service: nobody is asked."""
