"""Look-ups at the repositories: one contract for every adapter, and every odd answer of a real socket."""

import gzip
import json
import socketserver
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import pytest
from cncb_server import CncbServer, found, http, running
from hypothesis import given, settings
from hypothesis import strategies as st

from activities import repositories
from activities.repositories import FAILURES, INTERVAL, PAUSE, Cncb, Offline, RepositoryLookUp, Result

RELEASED = {
    "gsa-human": "HRA000001",
    "omix": "OMIX004308",
    "gwh": "GWHCBHP00000000",
    "genbase": "C_AA004835.1",
}
JSON_SERVICES = ("gsa-human", "omix", "gwh")
IDS = ("gsa-human", "gwh", "gvm", "genbase", "omix", "elsewhere")


class Clock:
    """Stands still until told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[CncbServer]:
    with running() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cncb(server: CncbServer, clock: Clock) -> Cncb:
    return Cncb(server.url, clock=clock, sleep=clock.slept.append)


# --- the contract ---------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["offline", "cncb", "cncb that is down", "cncb at no address"])
def adapter(request: pytest.FixtureRequest) -> Iterator[RepositoryLookUp]:
    still = Clock()
    if request.param == "offline":
        yield Offline()
    elif request.param == "cncb at no address":
        yield Cncb("http://[::1", clock=still, sleep=still.slept.append)
    else:
        with running() as server:
            if request.param == "cncb that is down":
                server.answer(b"")
            yield Cncb(server.url, clock=still, sleep=still.slept.append)


@settings(max_examples=60, deadline=None)
@given(
    repository=st.sampled_from(IDS) | st.text(max_size=5),
    accession=st.from_regex(r"(HRA|OMIX|C_AA|GWHABCD|GVM)[0-9]{6,8}(\.1|-02)?", fullmatch=True)
    | st.sampled_from(list(RELEASED.values()))
    | st.text(),
)
def test_whatever_is_asked_an_adapter_answers_and_never_raises(
    adapter: RepositoryLookUp, repository: str, accession: str
) -> None:
    answer = adapter.look_up(repository, accession)
    assert answer.result in get_args(Result)
    assert answer.source
    assert accession not in answer.source or len(accession) < 3


# --- what the services say ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("repository", "accession", "result"),
    [
        ("gsa-human", "HRA000001", "verified_public"),
        ("gsa-human", "HRA000002", "not_public"),
        ("omix", "OMIX004308", "verified_public"),
        ("omix", "OMIX004308-02", "verified_public"),
        ("omix", "OMIX000009-02", "not_public"),
        ("gwh", "GWHCBHP00000000", "verified_public"),
        ("gwh", "GWHFILD00000000", "verified_public"),
        ("gwh", "GWHFILD00000000.1", "verified_public"),
        ("gwh", "GWHFILD00000000.2", "mismatch"),
        ("gwh", "GWHCBHP00000000.1", "verified_public"),
        ("gwh", "GWHZZZZ00000000", "not_public"),
        ("genbase", "C_AA004835.1", "verified_public"),
        ("genbase", "C_AA004835", "verified_public"),
        ("genbase", "C_AA004835.2", "mismatch"),
        ("genbase", "C_AA999999.1", "not_public"),
        ("gvm", "GVM000324", "unavailable"),
    ],
)
def test_documented_answers_are_understood(cncb: Cncb, repository: str, accession: str, result: str) -> None:
    assert cncb.look_up(repository, accession).result == result


@pytest.mark.parametrize(
    ("repository", "body"),
    [
        ("gwh", b'{"accession": "GWHAAAA00000000"}'),
        ("gwh", b'{"assemblyAccession": "GWHAAAA00000000"}'),
        ("genbase", b">C_AA000001.1 another\nACGT\n"),
        ("genbase", b">C_AA0048351 longer\nACGT\n"),
    ],
)
def test_another_record_than_the_one_asked_for_is_a_mismatch(
    server: CncbServer, cncb: Cncb, repository: str, body: bytes
) -> None:
    server.answer(http(body))
    assert cncb.look_up(repository, RELEASED[repository]).result == "mismatch"


def test_a_search_that_finds_only_others_has_not_found_it(server: CncbServer, cncb: Cncb) -> None:
    server.answer(found("HRA000010", "HRA0000011"))
    assert cncb.look_up("gsa-human", "HRA000001").result == "not_public"


def test_a_search_that_went_by_something_else_than_the_accession_says_nothing(
    server: CncbServer, cncb: Cncb
) -> None:
    server.answer(found("HRA000010", total=4326))
    assert cncb.look_up("gsa-human", "HRA000001").result == "unavailable"


def test_a_long_sequence_is_known_by_its_first_line(server: CncbServer, cncb: Cncb) -> None:
    server.answer(http(b">gb|C_AA004835.1| Homo sapiens\n" + b"ACGT" * 2_500_000, kind="text/plain"))
    assert cncb.look_up("genbase", "C_AA004835.1").result == "verified_public"


def test_requests_name_the_program_and_nothing_else(server: CncbServer, cncb: Cncb) -> None:
    for repository, accession in RELEASED.items():
        cncb.look_up(repository, accession)
    assert server.asked == [
        "/search/api/specific?db=hra&q=attrs.Accession%3A%22HRA000001%22&start=0&length=10",
        "/search/api/specific?db=omix&q=attrs.Accession%3A%22OMIX004308%22&start=0&length=10",
        "/gwh/api/public/assembly/GWHCBHP00000000",
        "/genbase/api/file/fasta?acc=C_AA004835.1",
    ]
    assert {header for header in server.headers if not header.startswith(("Host:", "Connection:"))} == {
        "User-Agent: hgrip",
        "Accept: application/json, text/plain",
        "Accept-Encoding: identity",
    }


@pytest.mark.parametrize(
    "typed",
    [
        "张三",
        "ZHANGSAN",
        "13800138000",
        "11010519491231002X",
        "E12345678",
        "HRA000001\n",
        "../HRA000001",
        "",
        "H" * 99,
    ],
)
def test_what_is_not_shaped_like_an_accession_never_leaves(
    server: CncbServer, cncb: Cncb, typed: str
) -> None:
    for repository in RELEASED:
        assert cncb.look_up(repository, typed).result == "unavailable"
    assert server.asked == []


# --- odd answers ----------------------------------------------------------------------------------

GOOD_ASSEMBLY = json.dumps({"accession": RELEASED["gwh"]}).encode()
ODD = {
    "the anti-bot page with status 200": http(
        b"<!DOCTYPE html><html><script>challenge()</script>", kind="text/html"
    ),
    "nothing at all": b"",
    "an empty body": http(b""),
    "no HTTP": b"220 ftp ready\r\n",
    "half an answer": http(GOOD_ASSEMBLY)[:-6],
    "half a JSON": http(b'{"code":"200","result":{"data":{"recordsTotal":1,"data":[{"id":"HRA0'),
    "an error inside HTTP 200": http(b'{"code":"500","message":"error","result":null}'),
    "JSON of another shape": http(b'[1, null, {"result": []}]'),
    "null": http(b"null"),
    "JSON nested without end": http(b"[" * 200_000),
    "not UTF-8": http(b'{"accession": "\xff\xfe"}'),
    "too many requests": http(b'{"message":"Too Many Requests"}', "429 Too Many Requests"),
    "forbidden": http(b"<html>", "403 Forbidden", "text/html"),
    "a server error": http(b"oops", "500 Internal Server Error", "text/plain"),
    "compressed though not asked for": http(
        gzip.compress(GOOD_ASSEMBLY), "200 OK", "application/json", "Content-Encoding: gzip"
    ),
    "10 MB of blanks before the answer": http(b" " * 10_000_000 + GOOD_ASSEMBLY),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("repository", RELEASED)
def test_an_answer_that_says_nothing_is_unavailable(
    server: CncbServer, cncb: Cncb, repository: str, odd: str
) -> None:
    server.answer(ODD[odd])
    assert cncb.look_up(repository, RELEASED[repository]).result == "unavailable"
    assert len(server.asked) == 1


@pytest.mark.parametrize("repository", ["gsa-human", "omix"])
def test_a_search_that_is_gone_says_nothing_of_the_accession(
    server: CncbServer, cncb: Cncb, repository: str
) -> None:
    server.answer(http(b"", "404 Not Found"))
    assert cncb.look_up(repository, RELEASED[repository]).result == "unavailable"


def test_a_redirect_is_not_followed(server: CncbServer, cncb: Cncb) -> None:
    server.answer(http(b"", "302 Found", "text/html", f"Location: {server.url}/elsewhere"))
    for repository, accession in RELEASED.items():
        assert cncb.look_up(repository, accession).result == "unavailable"
    assert not any("elsewhere" in target for target in server.asked)


@pytest.mark.parametrize("dripping", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", http(b" " * 999)[:-990]])
def test_an_answer_that_never_ends_is_given_up(
    server: CncbServer, cncb: Cncb, monkeypatch: pytest.MonkeyPatch, dripping: bytes
) -> None:
    monkeypatch.setattr(repositories, "TIMEOUT", 0.3)

    def drip(handler: socketserver.StreamRequestHandler) -> None:
        handler.wfile.write(dripping)
        while not server.ending.wait(0.02):
            if dripping:
                handler.wfile.write(b" ")

    server.odd = drip
    assert cncb.look_up("gwh", RELEASED["gwh"]).result == "unavailable"


def test_nobody_listening_is_unavailable(clock: Clock) -> None:
    with running() as server:
        gone = Cncb(server.url, clock=clock, sleep=clock.slept.append)
    assert gone.look_up("gwh", RELEASED["gwh"]).result == "unavailable"


# --- courtesy -------------------------------------------------------------------------------------


def test_questions_of_many_threads_go_out_one_after_the_other(
    server: CncbServer, cncb: Cncb, clock: Clock
) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: cncb.look_up("gwh", RELEASED["gwh"]), range(6)))
    assert sorted(clock.slept) == [n * INTERVAL for n in range(6)]


def test_a_failing_repository_is_left_in_peace_and_asked_again_later(
    server: CncbServer, cncb: Cncb, clock: Clock
) -> None:
    server.answer(ODD["a server error"])
    for _ in range(FAILURES + 5):
        assert cncb.look_up("gwh", RELEASED["gwh"]).result == "unavailable"
    assert len(server.asked) == FAILURES
    clock.now += PAUSE
    cncb.look_up("gwh", RELEASED["gwh"])
    cncb.look_up("gwh", RELEASED["gwh"])
    assert len(server.asked) == FAILURES + 1, "one more failure is enough"
    server.odd = None
    assert cncb.look_up("omix", RELEASED["omix"]).result == "verified_public", "others are still asked"
    clock.now += PAUSE
    assert cncb.look_up("gwh", RELEASED["gwh"]).result == "verified_public"


def test_failures_far_apart_do_not_add_up(server: CncbServer, cncb: Cncb) -> None:
    for _ in range(FAILURES * 2):
        server.answer(ODD["an empty body"])
        cncb.look_up("gwh", RELEASED["gwh"])
        server.odd = None
        assert cncb.look_up("gwh", RELEASED["gwh"]).result == "verified_public"


def test_too_many_requests_ends_the_asking_at_once(server: CncbServer, cncb: Cncb) -> None:
    server.answer(ODD["too many requests"])
    for _ in range(3):
        assert cncb.look_up("gwh", RELEASED["gwh"]).result == "unavailable"
    assert len(server.asked) == 1


def test_failures_are_logged_without_the_accession(
    server: CncbServer, cncb: Cncb, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer(ODD["a server error"])
    cncb.look_up("gwh", RELEASED["gwh"])
    shown = "".join(capsys.readouterr())
    assert "HTTP 500" in shown
    assert RELEASED["gwh"] not in shown
