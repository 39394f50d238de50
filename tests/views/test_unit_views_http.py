"""A unit's people and backups over HTTP: who sees what, filters, exports."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import openpyxl
import psycopg
import pytest
from http_deployment import PROJECT, Deployment, complete_draft, keyed, number, open_draft

HOSPITAL = "12990000EX00000106"
FORMULA = '=HYPERLINK("https://example.org","点此")'


@pytest.fixture(scope="package")
def chief(ward: Deployment) -> Iterator[httpx2.Client]:
    """The hospital's administrator."""
    with ward.account("chen") as account:
        yield account


@pytest.fixture(scope="package")
def made(ward: Deployment) -> dict[str, str]:
    """Two of Zhang's, one numbered; a draft of Li's, whose title would be a formula; one elsewhere."""
    with ward.account("zhang") as zhang, ward.account("li") as li, ward.account("wang") as wang:
        backup = complete_draft(zhang)
        return {
            "numbered": backup,
            "number": number(zhang, backup),
            "draft": open_draft(zhang),
            "formula": open_draft(li, PROJECT | {"title": FORMULA}),
            "elsewhere": open_draft(wang),
        }


def ids(answer: httpx2.Response) -> set[str]:
    assert answer.status_code == 200, answer.text
    return {backup["id"] for backup in answer.json()["backups"]}


def search(account: httpx2.Client, **body: Any) -> httpx2.Response:
    return account.post("/v1/unit/backup-searches", json=body)


def problem(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def test_an_administrator_sees_the_units_people_with_what_they_hold(
    chief: httpx2.Client, made: dict[str, str]
) -> None:
    chief.post("/v1/me/sign-ins", headers=keyed())
    people = {person["name"]: person for person in chief.get("/v1/unit/people").json()["people"]}
    assert {name: (each["drafts"], each["numbered"]) for name, each in people.items()} == {
        "张示例": (1, 1), "李示例": (1, 0), "陈示例": (0, 0)
    }  # fmt: skip
    assert people["张示例"]["phone"] == "+86154****0001"
    assert all(person["member"] for person in people.values())


def test_who_has_left_the_unit_and_still_holds_backups_of_it_is_shown_as_such(
    ward: Deployment, chief: httpx2.Client, made: dict[str, str]
) -> None:
    with ward.account("li", unit="institute") as gone:
        gone.post("/v1/me/sign-ins", headers=keyed())
    try:
        people = {person["name"]: person for person in chief.get("/v1/unit/people").json()["people"]}
        assert (people["李示例"]["member"], people["李示例"]["drafts"]) == (False, 1)
    finally:
        with ward.account("li") as back:
            back.post("/v1/me/sign-ins", headers=keyed())


def test_the_units_backups_are_found_by_every_filter(chief: httpx2.Client, made: dict[str, str]) -> None:
    whole = {made["numbered"], made["draft"], made["formula"]}
    everything = chief.get("/v1/unit/backups")
    assert ids(everything) == whole
    (shown,) = [backup for backup in everything.json()["backups"] if backup["id"] == made["numbered"]]
    assert (shown["delegate_name"], shown["number"]) == ("张示例", made["number"])
    assert shown["data_files"] > 0
    category, zhang = shown["categories"][0], shown["delegate_id"]
    now = datetime.now(UTC)
    for filters, expected in (
        ({"state": "numbered"}, {made["numbered"]}),
        ({"category": category}, {made["numbered"]}),
        ({"category": "no-such"}, set()),
        ({"delegate_id": zhang}, {made["numbered"], made["draft"]}),
        ({"delegate_id": zhang, "state": "draft"}, {made["draft"]}),
        ({"created_from": now.isoformat()}, set()),
        ({"created_before": (now + timedelta(days=1)).isoformat()}, whole),
    ):
        assert ids(chief.get("/v1/unit/backups", params=filters)) == expected, filters
        assert ids(search(chief, **filters)) == expected, filters
    for body, expected in (
        ({"number": f" {made['number']} "}, {made["numbered"]}),
        ({"title": "多组学队列"}, {made["numbered"], made["draft"]}),
        ({"title": "hyperlink"}, {made["formula"]}),
        ({"title": "%%"}, set()),
        ({"accession": " hra009001 "}, {made["numbered"]}),
        ({"accession": "HRA999999"}, set()),
        ({"person_name": "張示例"}, {made["numbered"], made["draft"]}),
        ({"person_name": "王示例"}, set()),
        ({"title": "肺癌", "person_name": "张示例", "state": "draft"}, {made["draft"]}),
        ({}, whole),
    ):
        assert ids(search(chief, **body)) == expected, body


def test_pages_go_through_everything_once(chief: httpx2.Client, made: dict[str, str]) -> None:
    seen: list[str] = []
    token = None
    while True:
        page = search(chief, page_size=1, **({"page_token": token} if token else {})).json()
        seen += [backup["id"] for backup in page["backups"]]
        token = page["pagination"]["next_page_token"]
        if token is None:
            break
    assert len(seen) == len(set(seen))
    assert set(seen) == {made["numbered"], made["draft"], made["formula"]}
    everyone = chief.get("/v1/unit/people").json()["people"]
    first = chief.get("/v1/unit/people", params={"page_size": 1}).json()
    token = first["pagination"]["next_page_token"]
    rest = chief.get("/v1/unit/people", params={"page_token": token}).json()
    assert first["people"] + rest["people"] == everyone


@pytest.mark.parametrize("address", ["people", "backups", "backups/export"])
def test_only_administrators_and_operators_may_look(
    ward: Deployment, made: dict[str, str], address: str
) -> None:
    path = f"/v1/unit/{address}"
    with ward.account("zhang") as person:
        assert problem(person.get(path)) == (403, "not_allowed")
        assert problem(person.get(path, params={"unit": HOSPITAL})) == (403, "not_allowed")
    with ward.account("zhao") as another:
        assert problem(another.get(path, params={"unit": HOSPITAL})) == (403, "not_allowed")
        assert another.get(path).status_code == 200
    with ward.account("chen", unit_authorised=False) as dismissed:
        assert problem(dismissed.get(path)) == (403, "unit_authorisation_missing")
    with ward.account("operator", "en") as operator:
        refused = operator.get(path)
        assert problem(refused) == (403, "not_allowed")
        assert "`unit`" in refused.json()["detail"]
    with ward.visitor() as nobody:
        assert nobody.get(path).status_code == 401


def test_an_operator_sees_the_same_with_names_masked(ward: Deployment, made: dict[str, str]) -> None:
    with ward.account("operator") as operator:
        seen = operator.get("/v1/unit/backups", params={"unit": HOSPITAL})
        assert ids(seen) == {made["numbered"], made["draft"], made["formula"]}
        people = operator.get("/v1/unit/people", params={"unit": HOSPITAL})
        exported = operator.get("/v1/unit/backups/export", params={"unit": HOSPITAL})
        for answer in (seen, people, exported):
            assert "张**" in answer.text
            assert "张示例" not in answer.text
            assert "15400000001" not in answer.text


def test_a_unit_sees_nothing_of_another(ward: Deployment, made: dict[str, str]) -> None:
    with ward.account("zhao") as elsewhere:
        assert ids(elsewhere.get("/v1/unit/backups")) == {made["elsewhere"]}
        for body in ({"number": made["number"]}, {"accession": "HRA009001"}, {"person_name": "张示例"}):
            assert ids(search(elsewhere, **body)) == set()


def test_an_export_holds_the_list_and_no_spreadsheet_runs_any_of_it(
    chief: httpx2.Client, made: dict[str, str]
) -> None:
    answer = chief.get("/v1/unit/backups/export")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    book = openpyxl.load_workbook(
        io.BytesIO(chief.get("/v1/unit/backups/export", params={"format": "xlsx"}).content)
    )
    cells = list(book.active.iter_rows())  # type: ignore[union-attr]  # it has one sheet
    assert [["" if cell.value is None else str(cell.value) for cell in row] for row in cells] == rows
    assert all(cell.data_type != "f" for row in cells for cell in row)
    assert len(rows) == 4
    assert {row[0] for row in rows[1:]} == {"", made["number"]}
    assert f"'{FORMULA}" in {row[2] for row in rows}
    filtered = chief.get("/v1/unit/backups/export", params={"state": "numbered"})
    assert len(list(csv.reader(io.StringIO(filtered.text)))) == 2


@pytest.mark.parametrize("start", [*"=+-@\t＝＋－＠", " =", "\n="])
def test_whatever_begins_a_formula_is_text_in_an_export(
    ward: Deployment, chief: httpx2.Client, made: dict[str, str], start: str
) -> None:
    with psycopg.connect(ward.database_url) as connection:
        connection.execute("UPDATE backup SET title = %s WHERE id = %s", (f"{start}1+1\x07", made["formula"]))
    try:
        for kind in ("csv", "xlsx"):
            content = chief.get("/v1/unit/backups/export", params={"format": kind}).content
            if kind == "csv":
                titles = [row[2] for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))]
            else:
                sheet = openpyxl.load_workbook(io.BytesIO(content)).active
                titles = [str(row[2]) for row in sheet.iter_rows(values_only=True)]  # type: ignore[union-attr]
            assert any(title.startswith("'") and title.endswith("1+1\ufffd") for title in titles), kind
    finally:
        with psycopg.connect(ward.database_url) as connection:
            connection.execute("UPDATE backup SET title = %s WHERE id = %s", (FORMULA, made["formula"]))


@pytest.mark.parametrize(
    "body",
    [
        {"title": "癌"},
        {"person_name": ""},
        {"created_from": "2026-11-23T00:00:00"},
        {"state": "lost"},
        {"page_size": 0},
        {"name": "张示例"},
        {"title": "a\u0000b"},
    ],
)
def test_what_cannot_be_looked_for_is_refused_without_repeating_it(
    chief: httpx2.Client, body: dict[str, Any]
) -> None:
    refused = search(chief, **body)
    assert refused.status_code in (400, 422)
    assert "张示例" not in refused.text
