"""Searches of a unit's backups against a plain filter in memory; and the indexes they go by."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from store import search
from store.database import connect, reading
from store.search import Filters

UNITS = ("12990000EX00000106", "52990000EX0000029Y")
TITLES = ("肺癌队列", "肺癌 COHORT_1", "cohort 100%", "Cohort\\x", "胃癌", "100_", None)
STATES = ("draft", "waiting_for_deposit", "numbered", "withdrawn", "expired")
CATEGORIES = ("wgs", "wes", "array")
ACCESSIONS = ("HRA000001", "HRA000002", "OMIX001")
START = datetime(2026, 1, 1, tzinfo=UTC)
MANY = 20_000


class Known(NamedTuple):
    id: UUID
    unit: str
    person: int
    title: str | None
    state: str
    number: str | None
    created_at: datetime
    categories: list[str]
    accessions: list[str]


def known(place: int) -> Known:
    """The backup at a place: its properties repeat with periods that have no factor in common."""
    state = STATES[place % 5]
    return Known(
        UUID(int=place + 1),
        UNITS[place % 2],
        place % 3,
        TITLES[place % 7],
        state,
        f"BF{place:06}" if state == "numbered" else None,
        START + timedelta(hours=place // 4),  # four at the same instant
        [name for bit, name in enumerate(CATEGORIES) if place % 11 >> bit & 1],
        [name for bit, name in enumerate(ACCESSIONS) if place % 13 >> bit & 1],
    )


ALL = [known(place) for place in range(150)]


@pytest.fixture(scope="module")
def engine(postgres_url: str, template_database: str) -> Iterator[Engine]:
    """A database with these backups."""
    server, name = postgres_url.rpartition("/")[0], "unit_search"
    with psycopg.connect(f"{server}/postgres".replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template_database}")
    engine = connect(f"{server}/{name}")
    with engine.begin() as connection:
        for unit in UNITS:
            connection.execute(text("INSERT INTO unit VALUES (:code, 'x')"), {"code": unit})
        for person in range(3):
            connection.execute(_ACCOUNT, {"id": UUID(int=1000 + person), "name": bytes([person % 2])})
        for each in ALL:
            _insert(connection, each)
    yield engine
    engine.dispose()


_ACCOUNT = text("""
    INSERT INTO account
           (id, name_index, signed_in_at, real_name_verified, unit_authorised, unit_administrator)
    VALUES (:id, :name, now(), true, true, false)
""")
_BACKUP = text("""
    INSERT INTO backup
           (id, state, number, title, data_files, categories, creator_id, delegate_id, unit_code, created_at,
            saved_at, expires_at)
    VALUES (:id, :state, :number, :title, 3, :categories, :person, :person, :unit, :at, :at, :at)
""")
_LIST = text("""
    INSERT INTO manifest (id, account_id, sha256, form, format, listing, rows, unreadable_rows, categories,
                          repositories, in_transit, stored_at)
    VALUES (:id, :id, '', 'data-file', 'csv', 'file_list', 3, 0, :categories, '{}', '{}', now())
""")
_STEP = text("INSERT INTO backup_step VALUES (:id, 'data-files', 1, :id, now(), :id)")
_ACCESSION = text("INSERT INTO manifest_accession VALUES (:accession, :id)")


def _insert(connection: Any, each: Known) -> None:
    fields: dict[str, object] = {
        "id": each.id,
        "state": each.state,
        "number": each.number,
        "title": each.title,
    }
    person = UUID(int=1000 + each.person)
    fields |= {"person": person, "unit": each.unit, "at": each.created_at, "categories": each.categories}
    connection.execute(_BACKUP, fields)
    connection.execute(_LIST, {"id": each.id, "categories": each.categories})
    connection.execute(_STEP, {"id": each.id})
    for accession in each.accessions:
        connection.execute(_ACCESSION, {"id": each.id, "accession": accession})


def matches(each: Known, unit: str, asked: Filters) -> bool:
    """What the filters say, plainly."""
    return (
        each.unit == unit
        and asked.number in (None, each.number)
        and (asked.title is None or asked.title.lower() in (each.title or "").lower())
        and (asked.accession is None or asked.accession in each.accessions)
        and (asked.name_index is None or asked.name_index == bytes([each.person % 2]))
        and (asked.delegate_id is None or asked.delegate_id == UUID(int=1000 + each.person))
        and asked.state in (None, each.state)
        and (asked.category is None or asked.category in each.categories)
        and (asked.created_from is None or each.created_at >= asked.created_from)
        and (asked.created_before is None or each.created_at < asked.created_before)
    )


MOMENTS = st.integers(-1, 40).map(lambda hours: START + timedelta(hours=hours))
FILTERS = st.builds(
    Filters,
    number=st.none() | st.sampled_from(["BF000002", "BF000007", "BF"]),
    title=st.none()
    | st.sampled_from(["肺癌", "癌队", "cohort", "COHORT_", "0%", "t\\", "00", "%%", "__", "肺癌队列研究"]),
    accession=st.none() | st.sampled_from([*ACCESSIONS, "HRA"]),
    name_index=st.none() | st.sampled_from([b"\0", b"\1", b"\2"]),
    delegate_id=st.none() | st.sampled_from([UUID(int=1000), UUID(int=1001), UUID(int=1)]),
    state=st.none() | st.sampled_from(STATES),
    category=st.none() | st.sampled_from([*CATEGORIES, "w"]),
    created_from=st.none() | MOMENTS,
    created_before=st.none() | MOMENTS,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(unit=st.sampled_from(UNITS), asked=FILTERS, size=st.integers(1, 60))
def test_every_page_of_every_search_is_what_a_plain_filter_finds_newest_first(
    engine: Engine, unit: str, asked: Filters, size: int
) -> None:
    found: list[UUID] = []
    with reading(engine) as reader:
        after = None
        while rows := search.unit_backups(reader, unit, asked, after, size):
            assert len(rows) <= size
            found += [row.id for row in rows]
            after = (rows[-1].created_at, rows[-1].id)
        everything = [row.id for row in search.every_backup(reader, unit, asked)]
    expected = [each for each in ALL if matches(each, unit, asked)]
    expected.sort(key=lambda each: (each.created_at, each.id.bytes), reverse=True)
    assert found == everything == [each.id for each in expected]


def test_people_are_counted_as_a_plain_count_does(engine: Engine) -> None:
    for unit in UNITS:
        with reading(engine) as reader:
            rows = search.people(reader, unit, None, 10)
            first = search.people(reader, unit, None, 1)
            assert [*first, *search.people(reader, unit, first[0].id, 10)] == rows
        for row in rows:
            held = [each for each in ALL if each.unit == unit and UUID(int=1000 + each.person) == row.id]
            assert row.numbered == sum(each.state == "numbered" for each in held)
            assert row.drafts == sum(each.state in STATES[:2] for each in held)
            assert row.closed == sum(each.state in STATES[3:] for each in held)
            assert not row.member  # of no unit


@pytest.fixture(scope="module")
def large(engine: Engine) -> Engine:
    """The same with many backups of one person at another unit."""
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO unit VALUES ('large', 'x')"))
        connection.execute(_ACCOUNT, {"id": UUID(int=2000), "name": b"\7"})
        connection.execute(_FILL, {"many": MANY, "person": UUID(int=2000), "start": START})
        connection.execute(_MORE_ACCOUNTS, {"many": MANY})
        connection.execute(_MORE_ACCESSIONS, {"many": MANY})
        connection.execute(text("ANALYZE"))
    return engine


_FILL = text("""
    INSERT INTO backup
           (id, state, number, title, creator_id, delegate_id, unit_code, created_at, saved_at, expires_at)
    SELECT gen_random_uuid(), 'numbered', 'N' || n, '第' || n || '号肺癌队列', :person, :person, 'large',
           CAST(:start AS timestamptz) + n * interval '1 minute', now(), now()
    FROM generate_series(1, :many) AS n
""")

_MORE_ACCOUNTS = text("""
    INSERT INTO account
           (id, name_index, signed_in_at, real_name_verified, unit_authorised, unit_administrator)
    SELECT gen_random_uuid(), int4send(CAST(n AS int)), now(), true, true, false
    FROM generate_series(1, :many) AS n
""")
_MORE_ACCESSIONS = text("""
    INSERT INTO manifest_accession SELECT 'L' || n, gen_random_uuid() FROM generate_series(1, :many) AS n
""")


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        (Filters(), "backup_by_unit"),
        (Filters(state="draft"), "backup_by"),
        (Filters(number="N77"), "backup_number_key"),
        (Filters(title="第777号"), "backup_by_title"),
        (Filters(accession="HRA000001"), "manifest_accession_pkey"),
        (Filters(name_index=b"\2"), "ix_account_name_index"),
        (Filters(delegate_id=UUID(int=2000)), "backup_by_"),
        (Filters(created_before=START + timedelta(days=1)), "backup_by_unit"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_no_search_reads_all_backups(large: Engine, asked: Filters, index: str) -> None:
    given_ = {name: value for name, value in asked._asdict().items() if value is not None}
    if asked.title is not None:
        given_["pattern"] = f"%{asked.title}%"
    statement = search._statement(frozenset(given_)).text
    with reading(large) as reader:
        values = given_ | {"unit": "large", "limit": 51}
        plan = "\n".join(reader.connection().execute(text(f"EXPLAIN {statement}"), values).scalars())
    assert index in plan, plan
    assert "Seq Scan on backup " not in plan, plan
