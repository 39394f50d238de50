"""What nobody will come back for: requests without an answer, and the content they brought.

Content has the id of the request that brought it. A request that was carried out keeps its content for ever,
because a repetition is answered from it. One that was refused is answered from the ledger alone, so its
content is of no use. One that has no answer may yet be carried out: it is refused first (``request_lapsed``),
when its workflow runs no more, and its content goes only in a later sweep.
"""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.sql.elements import TextClause

from store.database import Reader, Writer

WORKFLOWS = {
    "save_step": "backup",
    "submit": "backup",
    "withdrawn": "backup",
    "check_deposits": "backup",
    "claim": "claim",
    "unit_claim": "unit-claim",
}
"""Kind of a request → what the id of the workflow that carries it out begins with."""
BATCH = 500


class Unanswered(NamedTuple):
    """A request without an answer."""

    id: UUID
    workflow_id: str


def unanswered(reader: Reader, before: datetime, after: UUID) -> list[Unanswered]:
    """Requests that were asked before a moment and have no answer, by id, a batch at a time.

    Args:
        reader: The transaction.
        before: The moment.
        after: The last id of the batch before.
    """
    asked = {"before": before, "after": after, "kinds": list(WORKFLOWS), "most": BATCH}
    return [
        Unanswered(row.id, f"{WORKFLOWS[row.kind]}-{row.case_id}")
        for row in reader.connection().execute(_UNANSWERED, asked)
    ]


def lapse(writer: Writer, ids: Collection[UUID], at: datetime) -> int:
    """Refuse requests that have no answer yet; how many."""
    return writer.connection().execute(_LAPSE, {"ids": list(ids), "at": at}).rowcount


def delete_forms(writer: Writer, before: datetime) -> int:
    """Delete a batch of forms whose requests were refused before a moment; how many."""
    return _deleted(writer, _DELETE_FORMS, before)


def delete_claims(writer: Writer, before: datetime) -> int:
    """Delete a batch of claims that were never opened, likewise."""
    return _deleted(writer, _DELETE_CLAIMS, before) + _deleted(writer, _DELETE_UNIT_CLAIMS, before)


def refused_lists(reader: Reader, before: datetime) -> list[UUID]:
    """A batch of file lists whose requests were refused before a moment."""
    asked = {"before": before, "most": BATCH}
    return list(reader.connection().execute(_REFUSED_LISTS, asked).scalars())


def delete_list(writer: Writer, id_: UUID) -> None:
    """Delete a file list with all its rows, in one transaction: a list is there whole or not at all."""
    for table in _OF_A_LIST:
        writer.connection().execute(text(f"DELETE FROM {table} WHERE manifest_id = :id"), {"id": id_})  # noqa: S608
    writer.connection().execute(text("DELETE FROM manifest WHERE id = :id"), {"id": id_})


def _deleted(writer: Writer, statement: TextClause, before: datetime) -> int:
    return writer.connection().execute(statement, {"before": before, "most": BATCH}).rowcount


_OF_A_LIST = (
    "manifest_row",
    "manifest_fault",
    "manifest_finding",
    "manifest_judgement",
    "manifest_accession",
)
_UNANSWERED = text("""
    SELECT id, case_id, kind FROM operation
    WHERE outcome IS NULL AND asked_at < :before AND kind = ANY(:kinds) AND id > :after
    ORDER BY id LIMIT :most
""")
_LAPSE = text("""
    UPDATE operation SET outcome = '{"refused": "request_lapsed", "facts": {}}', finished_at = :at
    WHERE id = ANY(:ids) AND outcome IS NULL
""")
_REFUSED = """
    FROM operation AS asked
    WHERE asked.outcome ? 'refused' AND asked.finished_at < :before
"""
_UNUSED = "AND NOT EXISTS (SELECT FROM backup_step AS step WHERE step.content_id = asked.id)"
_DELETE_FORMS = text(f"""
    DELETE FROM form_content WHERE id IN (
        SELECT asked.id {_REFUSED} {_UNUSED}
        AND EXISTS (SELECT FROM form_content WHERE id = asked.id) LIMIT :most
    )
""")  # noqa: S608
_REFUSED_LISTS = text(f"""
    SELECT asked.id {_REFUSED} {_UNUSED} AND EXISTS (SELECT FROM manifest WHERE id = asked.id) LIMIT :most
""")  # noqa: S608
_DELETE_CLAIMS, _DELETE_UNIT_CLAIMS = (
    text(f"""
        DELETE FROM {table} WHERE id IN (
            SELECT asked.case_id {_REFUSED} AND asked.kind = '{table}'
            AND EXISTS (SELECT FROM {table} WHERE id = asked.case_id AND state = 'stored') LIMIT :most
        )
    """)  # noqa: S608
    for table in ("claim", "unit_claim")
)
