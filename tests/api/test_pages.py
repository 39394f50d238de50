from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from api import problems
from api.pages import DEFAULT_SIZE, Keyset, NewestFirst, PageSize, PageToken
from schemas.errors import Refusal

BY_LINE = Keyset("findings", int)
NEWEST = Keyset("backups", NewestFirst)


@given(rows=st.sets(st.integers(0, 2**63 - 1), max_size=40), size=st.integers(1, 10))
def test_pages_together_hold_every_row_once_and_in_order(rows: set[int], size: int) -> None:
    ordered, seen, token = sorted(rows), list[int](), None
    while True:
        after = BY_LINE.after(token)
        read = [row for row in ordered if after is None or row > after][: size + 1]
        page, token = BY_LINE.page(read, size, lambda row: row)
        assert len(page) <= size
        seen += page
        if token is None:
            break
        assert len(page) == size
    assert seen == ordered


@given(created_at=st.datetimes(timezones=st.just(UTC)), row_id=st.uuids())
def test_a_token_brings_its_key_back_exactly(created_at: datetime, row_id: UUID) -> None:
    _, token = NEWEST.page([NewestFirst(created_at, row_id)] * 2, 1, lambda row: row)
    assert NEWEST.after(token) == (created_at, row_id)


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda raw: raw.hex()))
def test_anything_else_sent_as_a_token_is_refused(text: str) -> None:
    for pages in (BY_LINE, NEWEST):
        with pytest.raises(Refusal) as refused:
            pages.after(text)
        assert refused.value.error.code == "page_token_invalid"


@given(place=st.integers(0, 200), letter=st.sampled_from("Aa0_-="))
def test_a_token_that_was_altered_is_refused(place: int, letter: str) -> None:
    _, token = NEWEST.page([NewestFirst(datetime.now(UTC), uuid4())] * 2, 1, lambda row: row)
    assert token is not None
    place %= len(token)
    altered = token[:place] + letter + token[place + 1 :]
    if altered.rstrip("=") != token.rstrip("="):
        with pytest.raises(Refusal):
            NEWEST.after(altered)


def test_a_token_of_one_list_is_refused_by_another() -> None:
    _, token = BY_LINE.page([1, 2], 1, lambda row: row)
    with pytest.raises(Refusal):
        Keyset("data files", int).after(token)


@pytest.mark.parametrize(("size", "status"), [(1, 200), (1000, 200), (0, 422), (1001, 422), ("many", 422)])
def test_a_page_has_1_to_1000_items(size: object, status: int) -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/numbers")
    async def numbers(page_size: PageSize = DEFAULT_SIZE, page_token: PageToken = None) -> int:
        BY_LINE.after(page_token)
        return page_size

    client = TestClient(app)
    assert client.get("/numbers", params={"page_size": str(size)}).status_code == status
    assert client.get("/numbers").json() == DEFAULT_SIZE
    assert client.get("/numbers", params={"page_token": "x"}).json()["type"] == "/problems/page_token_invalid"
