"""A unit's backups by filters, and its people by what they hold: keyset pages over indexes, no totals.

Every statement names one unit. A title is looked for by pairs of characters (`title_grams`, migration 0010):
two are a word in Chinese, and no extension of PostgreSQL is needed.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, TextClause, text

from store.database import Reader

Key = tuple[datetime, UUID]
CHUNK = 1_000
"""Backups of an export that are in memory at once."""
NEWEST = 4
"""Pages of newest backups in which a word of titles is looked for before the index of all titles is asked."""


class Filters(NamedTuple):
    """What a backup has to be; None asks nothing.

    Attributes:
        title: Part of the title, at least two characters; small and capital letters are the same.
        accession: In one of its lists, as it was saved.
        name_index: Blind index of the delegate's name.
        created_from: The first instant.
        created_before: The first instant that is too late.
    """

    number: str | None = None
    title: str | None = None
    accession: str | None = None
    name_index: bytes | None = None
    delegate_id: UUID | None = None
    state: str | None = None
    category: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None


def unit_backups(
    reader: Reader, unit_code: str, filters: Filters, after: Key | None, limit: int
) -> Sequence[Row[Any]]:
    """A page of a unit's backups, newest first, each with its delegate's encrypted name."""
    asked = {name: value for name, value in filters._asdict().items() if value is not None}
    if filters.title is not None:
        asked["pattern"] = f"%{_literal(filters.title)}%"
    if after is not None:
        asked |= {"after_at": after[0], "after_id": after[1]}
    given = {**asked, "unit": unit_code, "limit": limit, "newest": NEWEST * limit}
    if filters.title is not None:  # a word that many titles have fills the page from the newest of them
        page = reader.connection().execute(_among_newest(frozenset(asked)), given).all()
        if len(page) == limit:
            return page
    return reader.connection().execute(_statement(frozenset(asked)), given).all()


def every_backup(reader: Reader, unit_code: str, filters: Filters) -> Iterator[Row[Any]]:
    """All of them, a chunk at a time: however many there are, memory does not grow."""
    after: Key | None = None
    while rows := unit_backups(reader, unit_code, filters, after, CHUNK):
        yield from rows
        after = (rows[-1].created_at, rows[-1].id)


def people(reader: Reader, unit_code: str, after: UUID | None, limit: int) -> Sequence[Row[Any]]:
    """A page of the unit's authorised people and of whoever holds its backups, with counts by state."""
    asked = {"unit": unit_code, "after": after or UUID(int=0), "limit": limit}
    return reader.connection().execute(_PEOPLE, asked).all()


def _literal(typed: str) -> str:
    """What was typed, for ILIKE: its signs mean themselves."""
    return typed.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


@lru_cache(maxsize=256)
def _statement(asked: frozenset[str]) -> TextClause:
    """The SELECT for these filters, of fixed parts."""
    return text(_PAGE.format(source="backup", conditions=_conditions(asked)))


@lru_cache(maxsize=256)
def _among_newest(asked: frozenset[str]) -> TextClause:
    """The same among the newest backups of the unit alone."""
    source = _NEWEST.format(conditions=_conditions(asked & {"after_at", "after_id"}))
    return text(_PAGE.format(source=source, conditions=_conditions(asked - {"title"})))


def _conditions(asked: frozenset[str]) -> str:
    return " AND ".join(["backup.unit_code = :unit", *(_CONDITIONS[name] for name in sorted(asked))])


_CONDITIONS = {
    "number": "backup.number = :number",
    "title": "title_grams(backup.unit_code, backup.title) @> title_grams(:unit, :title)",
    "pattern": "backup.title ILIKE :pattern",
    "accession": """backup.id IN (
        SELECT step.backup_id FROM manifest_accession AS listed
        JOIN backup_step AS step ON step.content_id = listed.manifest_id
        WHERE listed.accession = :accession
    )""",
    "name_index": "backup.delegate_id IN (SELECT id FROM account WHERE name_index = :name_index)",
    "delegate_id": "backup.delegate_id = :delegate_id",
    "state": "backup.state = :state",
    "category": ":category = ANY (backup.categories)",
    "created_from": "backup.created_at >= :created_from",
    "created_before": "backup.created_at < :created_before",
    "after_at": "(backup.created_at, backup.id) < (:after_at, :after_id)",
    "after_id": "true",
}
_NEWEST = """(
            SELECT * FROM backup WHERE {conditions}
            ORDER BY backup.created_at DESC, backup.id DESC LIMIT :newest
        ) AS backup"""
_PAGE = """
    SELECT backup.id, backup.number, backup.state, backup.title, backup.created_at, backup.saved_at,
           backup.expires_at, backup.delegate_id, backup.version, backup.corrects_id,
           backup.data_files, backup.categories,
           (SELECT name FROM account WHERE account.id = backup.delegate_id) AS name
    FROM {source} WHERE {conditions}
    ORDER BY backup.created_at DESC, backup.id DESC LIMIT :limit
"""
_PEOPLE = text("""
    WITH held AS (
        SELECT delegate_id AS id,
               count(*) FILTER (WHERE state IN ('draft', 'waiting_for_deposit')) AS drafts,
               count(*) FILTER (WHERE state = 'numbered') AS numbered,
               count(*) FILTER (WHERE state IN ('withdrawn', 'expired', 'superseded')) AS closed
        FROM backup WHERE unit_code = :unit AND delegate_id > :after
        GROUP BY delegate_id ORDER BY delegate_id LIMIT :limit
    ), member AS (
        SELECT id FROM account
        WHERE unit_code = :unit AND unit_authorised AND real_name_verified AND id > :after
        ORDER BY id LIMIT :limit
    )
    SELECT account.id, account.name, account.phone, member.id IS NOT NULL AS member,
           COALESCE(held.drafts, 0) AS drafts, COALESCE(held.numbered, 0) AS numbered,
           COALESCE(held.closed, 0) AS closed
    FROM held FULL JOIN member USING (id) JOIN account USING (id)
    ORDER BY account.id LIMIT :limit
""")
