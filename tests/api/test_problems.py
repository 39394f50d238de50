import ast
import json
import string
import uuid
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import psycopg
import pytest
from fastapi import APIRouter, FastAPI, HTTPException, Query
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import core_schema
from pydantic_core._pydantic_core import list_all_errors
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from api import field_errors, problems
from api.bodies import MOST_BYTES, MOST_LEVELS, StrictRoute
from schemas.errors import ERRORS, FACTS, Refusal
from schemas.platform_errors import Error
from schemas.texts import Text

CANARY = "13912345678"
HOUSE = Path(__file__).parents[2]


class Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    kind: Literal["a", "b"]
    size: int = Field(le=10)


class Thing(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    title: str = Field(default="", max_length=5, pattern="^[a-z]*$")
    born: date | None = None
    parts: list[Part] = []
    counts: dict[str, int] = {}
    content: dict[str, Any] = {}
    checked: str = ""

    @field_validator("checked")
    @classmethod
    def _loud(cls, value: str) -> str:
        if value:
            raise ValueError(f"{value} is not good")
        return value


def tiny_app() -> FastAPI:
    app = FastAPI(responses=problems.RESPONSES)
    problems.install(app)
    router = APIRouter(prefix="/v1", route_class=StrictRoute)

    @router.post("/things")
    async def things(thing: Thing, size: Annotated[int, Query(ge=1)] = 1) -> Thing:
        return thing

    @router.get("/refused/{code}")
    async def refused(code: str) -> None:
        raise Refusal(code, **dict.fromkeys(ERRORS[code].named_facts, 7))

    @router.get("/broken")
    async def broken() -> None:
        raise RuntimeError(f"cannot find {CANARY}")

    @router.get("/no-database")
    async def no_database() -> None:
        raise psycopg.OperationalError(f"password of {CANARY} is wrong")

    @router.get("/file")
    async def file() -> None:
        raise Refusal(
            "unreadable_manifest", Text("第 3 行有误。", "Line 3 is wrong."), line=3, pointer="/rows/2"
        )

    app.include_router(router)
    return app


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(tiny_app())


def refused_places(answer: Any) -> set[tuple[str, str]]:
    return {(error["pointer"], error["code"]) for error in answer.json()["errors"]}


# --- the table ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_every_error_is_said_in_both_languages_with_the_same_facts(error: Error) -> None:
    for text in (error.title, error.mend):
        assert any("\u4e00" <= letter <= "\u9fff" for letter in text.zh)
        assert text.en.isascii()
        names = [{name for _, name, _, _ in string.Formatter().parse(words) if name} for words in text]
        assert names[0] == names[1] <= FACTS
    assert not error.title.zh.endswith("。")
    assert 400 <= error.status < 600
    assert error.retryable == (error.status in (423, 429, 503))


def test_facts_never_hide_a_member_of_the_problem() -> None:
    assert FACTS.isdisjoint(problems.Problem.model_fields)


def test_a_refusal_takes_known_codes_and_facts_only_and_prints_its_code_alone() -> None:
    assert str(Refusal("too_many_rows", limit=5)) == "too_many_rows"
    with pytest.raises(KeyError):
        Refusal("no_such_code")
    with pytest.raises(TypeError, match="unknown"):
        Refusal("not_found", phone=1)
    with pytest.raises(TypeError, match="missing"):
        Refusal("too_many_rows")


def refusals_in_the_house() -> list[tuple[str, int, str, set[str]]]:
    """File, line, code and facts of each ``Refusal("code", …)`` in the source."""
    found = []
    for path in sorted(HOUSE.glob("*/**/*.py")):
        if path.relative_to(HOUSE).parts[0] in ("tests", "var", "build") or ".venv" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Name("Refusal"), args=[ast.Constant(str(code)), *_], keywords=keywords
                ):
                    facts = {keyword.arg or "" for keyword in keywords}
                    found.append((str(path.relative_to(HOUSE)), node.lineno, code, facts))
    return found


def test_every_refusal_in_the_house_names_a_code_of_the_table_and_brings_its_facts() -> None:
    refusals = refusals_in_the_house()
    assert refusals
    for path, line, code, facts in refusals:
        assert code in ERRORS, f"{path}:{line}: {code}"
        assert "" in facts or ERRORS[code].named_facts <= facts <= FACTS, f"{path}:{line}: {facts}"


def test_the_reference_page_lists_the_table_as_it_is() -> None:
    page = (HOUSE / "docs/reference/problems.md").read_text(encoding="utf-8")
    rows = [line for line in page.partition("## All codes")[2].splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{code}` | {error.status} | {'✓' * error.retryable} | {error.title.zh} | {error.title.en} |"
        for code, error in ERRORS.items()
    ]


# --- sentences for fields -------------------------------------------------------------------------------


def test_every_error_type_of_pydantic_has_a_sentence() -> None:
    assert set(get_args(core_schema.ErrorType)) == field_errors.KINDS


@pytest.mark.parametrize("error", list_all_errors(), ids=lambda error: error["type"])
def test_a_field_sentence_is_filled_from_the_schema_and_never_from_the_input(error: Any) -> None:
    context = error.get("example_context") or {}
    for told_by_input in (
        "actual_length",
        "error",
        "tag",
        "tz_actual",
        "encoding_error",
        "attribute",
        "input",
    ):
        context.pop(told_by_input, None)
    chinese, english = field_errors.sentence(error["type"], context)
    assert chinese.endswith("。")
    assert english.endswith(".")


json_with_canaries = st.recursive(
    st.sampled_from([CANARY, int(CANARY), f"x{CANARY}", None, True, 1.5, "2020-13-01"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([CANARY, "kind", "size", "title", f"/{CANARY}~"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@given(
    body=st.dictionaries(st.sampled_from([*Thing.model_fields, CANARY]), json_with_canaries, min_size=1),
    spoken=st.sampled_from(["zh-CN", "en"]),
)
@settings(max_examples=150, deadline=None)
def test_no_refused_body_is_repeated_in_the_answer_or_the_log(body: dict[str, Any], spoken: str) -> None:
    client = TestClient(tiny_app_once())
    with capture_logs() as logs:
        answer = client.post("/v1/things", json=body, headers={"Accept-Language": spoken})
    if answer.status_code != 200:
        assert answer.status_code == 422
        assert CANARY not in answer.text
        assert answer.json()["errors"]
    assert CANARY not in str(logs)


_APPS: list[FastAPI] = []


def tiny_app_once() -> FastAPI:
    if not _APPS:
        _APPS.append(tiny_app())
    return _APPS[0]


def test_each_wrong_field_is_named_by_pointer_and_an_unknown_key_by_its_parent(client: TestClient) -> None:
    body = {
        "title": 5,
        "parts": [{"kind": "a", "size": 1}, {"kind": "c", "size": 11, CANARY: 1}, {}],
        "counts": {CANARY: "x"},
        CANARY: 1,
    }
    answer = client.post("/v1/things", json=body)
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/invalid_field"
    assert refused_places(answer) == {
        ("/title", "invalid_field"),
        ("/parts/1/kind", "invalid_field"),
        ("/parts/1/size", "invalid_field"),
        ("/parts/1", "unknown_field"),
        ("/parts/2/kind", "missing_field"),
        ("/parts/2/size", "missing_field"),
        ("/counts", "invalid_field"),
        ("", "unknown_field"),
    }
    details = {error["pointer"]: error["detail"] for error in answer.json()["errors"]}
    assert details["/parts/1/kind"] == "应为以下之一：'a' or 'b'。"
    assert details["/parts/1/size"] == "应不大于 10。"


def test_a_body_with_nothing_wrong_but_extra_fields_is_told_so(client: TestClient) -> None:
    assert client.post("/v1/things", json={"titel": "x"}).json()["type"] == "/problems/unknown_field"


def test_a_wrong_parameter_is_named_and_not_repeated(client: TestClient) -> None:
    answer = client.post("/v1/things", params={"size": CANARY + "x"}, json={})
    [error] = answer.json()["errors"]
    assert (error["where"], error["pointer"]) == ("query", "/size")
    assert CANARY not in answer.text


# --- bodies that are not JSON ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "line", "column"),
    [
        (b'{"title":', 1, 10),
        (b'{"title":\n  NaN}', 2, 3),
        (b'{"content": {"x": -Infinity}}', 1, 20),
        (b'{"content": {"x": 1e999}}', 1, 19),
        (b'{"title": "\\ud800"}', 1, 12),
        ('{"title": "é",\n "checked": "a\\u0000"}'.encode(), 2, 13),
        (b'{"content": {"a\\\\\\u0000": 1}}', 1, 14),
        (b'{"title": "\xff"}', 1, 12),
        ('{"title": "中"}'.encode("gb18030"), 1, 12),
        ('{"title": "x"}'.encode("utf-16"), 1, 1),
        (b"[" * 100_000, 1, 1026),
        (b'{"content":' * 40 + b"{}" + b"}" * 40, 1, 11 * MOST_LEVELS + 1),
    ],
    ids=lambda value: str(value)[:30],
)
def test_malformed_json_is_refused_with_its_place(
    client: TestClient, body: bytes, line: int, column: int
) -> None:
    answer = client.post("/v1/things", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/malformed_body")
    assert (answer.json()["line"], answer.json()["column"]) == (line, column)
    assert f"第 {line} 行" in answer.json()["detail"]


@pytest.mark.parametrize(
    "body", [b'{"title": "x"}', b'{"content": {"x": "a\\\\u0000"}}', b'{"content": {"[": "{[{"}}']
)
def test_well_formed_json_is_read(client: TestClient, body: bytes) -> None:
    answer = client.post("/v1/things", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200
    assert answer.json().items() >= json.loads(body).items()


@given(st.binary(max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_bytes_get_an_answer_below_500(body: bytes) -> None:
    answer = TestClient(tiny_app_once()).post(
        "/v1/things", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (200, 400, 422)


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded", ""]
)
def test_json_under_another_content_type_is_refused(client: TestClient, media_type: str) -> None:
    answer = client.post("/v1/things", content=b'{"title": "x"}', headers={"Content-Type": media_type})
    assert (answer.status_code, answer.json()["type"]) == (415, "/problems/unsupported_media_type")


def test_a_body_beyond_the_limit_is_refused_whether_or_not_its_length_is_declared(client: TestClient) -> None:
    def chunks() -> Any:
        yield b"{"
        for _ in range(MOST_BYTES // 1024):
            yield b" " * 1024
        yield b"}"

    for body in (b"".join(chunks()), chunks()):
        answer = client.post("/v1/things", content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["limit"]) == (413, MOST_BYTES)
        assert str(MOST_BYTES) in answer.json()["detail"]


# --- the problem itself ---------------------------------------------------------------------------------


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_every_code_becomes_a_problem_whose_type_can_be_opened(client: TestClient, error: Error) -> None:
    answer = client.get(f"/v1/refused/{error.code}", headers={"Accept-Language": "en"})
    problem = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status_code, problem["status"], problem["title"]) == (
        error.status,
        error.status,
        error.title.en,
    )
    assert ("Retry-After" in answer.headers) == error.retryable
    assert ("WWW-Authenticate" in answer.headers) == (error.status == 401)

    explained = client.get(problem["type"]).json()
    assert explained["mend"] == {"zh": error.mend.zh, "en": error.mend.en}
    page = client.get(problem["type"], headers={"Accept": "text/html"})
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert error.title.zh in page.text


def test_all_problem_types_are_listed_for_people_and_programs(client: TestClient) -> None:
    assert [kind["code"] for kind in client.get("/problems").json()["problems"]] == list(ERRORS)
    assert all(code in client.get("/problems", headers={"Accept": "text/html"}).text for code in ERRORS)
    assert client.get("/problems/none").status_code == 404


def test_what_is_particular_to_a_case_comes_before_how_to_mend_it(client: TestClient) -> None:
    problem = client.get("/v1/file", headers={"Accept-Language": "en"}).json()
    assert problem["detail"].startswith("Line 3 is wrong. Export it again")
    assert problem["line"] == 3
    assert [(error["where"], error["pointer"]) for error in problem["errors"]] == [("body", "/rows/2")]
    assert client.get("/v1/file").json()["detail"].startswith("第 3 行有误。请以")


@pytest.mark.parametrize(
    ("accepted", "spoken"),
    [
        (None, "zh-CN"),
        ("", "zh-CN"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("zh;q=0.5, en", "en"),
        ("fr, en;q=0.2", "en"),
        ("fr", "zh-CN"),
        ("en;q=0, zh;q=0.1", "zh-CN"),
        ("zh, en", "zh-CN"),
        ("en, zh", "en"),
        ("*", "zh-CN"),
        ("ZH-Hant-TW", "zh-CN"),
        ("en;q=nan, zh;q=0.1", "zh-CN"),
        ("en;q=9, zh;q=0.1", "zh-CN"),
        (";;;,,q=,en;;", "zh-CN"),
        ("fr," * 5000 + "en", "zh-CN"),
    ],
)
def test_the_language_follows_accept_language(client: TestClient, accepted: str | None, spoken: str) -> None:
    client.headers.pop("accept-language", None)
    answer = client.get("/nowhere", headers={} if accepted is None else {"Accept-Language": accepted})
    assert answer.headers["Content-Language"] == spoken
    assert answer.headers["Vary"] == "Accept-Language"
    error = ERRORS["not_found"]
    assert answer.json()["title"] == (error.title.en if spoken == "en" else error.title.zh)


def test_unknown_addresses_and_methods_are_problems_that_do_not_repeat_the_address(
    client: TestClient,
) -> None:
    unknown = client.get(f"/v1/{CANARY}?phone={CANARY}")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/not_found")
    assert CANARY not in unknown.text
    method = client.delete("/v1/things")
    assert (method.status_code, method.headers["Allow"]) == (405, "POST")


def test_a_request_id_is_new_unless_the_client_sends_a_uuid(client: TestClient) -> None:
    sent = str(uuid.uuid4())
    answer = client.get("/nowhere", headers={"X-Request-Id": sent})
    assert (answer.headers["X-Request-Id"], answer.json()["instance"]) == (sent, f"urn:uuid:{sent}")
    answer = client.get("/nowhere", headers={"X-Request-Id": CANARY})
    assert uuid.UUID(answer.headers["X-Request-Id"]).version == 4
    assert CANARY not in str(answer.headers) + answer.text


@pytest.mark.parametrize("path", ["/v1/broken", "/nowhere", "/v1/refused/not_found"])
def test_no_answer_is_cached_or_sniffed(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")


def test_a_bug_is_answered_and_logged_with_its_place_but_without_its_text(
    client: TestClient, capfd: pytest.CaptureFixture[str]
) -> None:
    with capture_logs() as logs:
        answer = client.get("/v1/broken")  # raises in the test if the exception gets past the guard
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal")
    [entry] = logs
    assert entry["error"] == "RuntimeError"
    assert entry["request_id"] == answer.headers["X-Request-Id"]
    assert entry["place"].startswith("test_problems.py:")
    assert CANARY not in answer.text + str(logs) + "".join(capfd.readouterr())


def test_a_database_that_is_away_is_a_problem_worth_repeating(client: TestClient) -> None:
    with capture_logs() as logs:
        answer = client.get("/v1/no-database")
    assert (answer.status_code, answer.json()["retryable"]) == (503, True)
    assert answer.headers["Retry-After"]
    assert CANARY not in answer.text + str(logs)


def test_an_answer_that_breaks_off_is_not_followed_by_a_second_one() -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/half")
    async def half() -> Any:
        from starlette.responses import StreamingResponse

        async def pieces() -> Any:
            yield b"first"
            raise RuntimeError(CANARY)

        return StreamingResponse(pieces())

    with capture_logs() as logs:
        answer = TestClient(app).get("/half")
    assert answer.content == b"first"
    assert logs[0]["error"] == "RuntimeError"


def test_another_4xx_from_the_framework_keeps_its_headers() -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/type")
    async def media_type() -> None:
        raise HTTPException(415, CANARY, {"Accept": "text/csv"})

    answer = TestClient(app).get("/type")
    assert (answer.status_code, answer.headers["Accept"]) == (415, "text/csv")
    assert CANARY not in answer.text


def test_the_api_description_declares_problems_for_every_operation() -> None:
    description = tiny_app_once().openapi()
    for operations in description["paths"].values():
        for operation in operations.values():
            assert "application/problem+json" in operation["responses"]["default"]["content"]
            assert "422" not in operation["responses"]
    assert "HTTPValidationError" not in description["components"]["schemas"]
