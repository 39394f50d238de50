"""Cases (办理事项): which workflow carries what, as the database knows it. Nothing here names a person."""

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from sqlalchemy import bindparam, column, select, table
from sqlalchemy import text as sql

from schemas.stuck import CaseKind
from store.database import Reader, Writer

_SYSTEM = UUID("6f0c9b1e-5a7d-4a83-9d0b-4f2f1f5a5b52")
_ID = re.compile(r"(?P<kind>[a-z-]+)-(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_KINDS: Mapping[str, CaseKind] = {
    "backup": "backup",
    "claim": "claim",
    "unit-claim": "unit_claim",
    "handover": "handover",
    "attribution": "attribution",
    "prior-report": "prior_report",
    "rule-comparison": "comparison",
    "number-withdrawal": "amendment",
}


class Case(NamedTuple):
    """One case.

    Attributes:
        state: Where it stands by its row; empty where it has none.
        people: Accounts that wait for it.
        due_at: When its present state ends by itself.
    """

    case_id: UUID
    kind: CaseKind
    workflow_id: str
    unit_code: str | None
    people: int
    state: str
    created_at: datetime | None
    due_at: datetime | None
    closed_at: datetime | None


def find(reader: Reader, case_id: UUID) -> Case | None:
    """The case of this id: by its own row, else as stuck work has it; None for what is no case."""
    row = (
        reader.execute(_BY_ID, {"case_id": case_id}).first()
        or reader.execute(_NOTED, {"case_id": case_id}).first()
    )
    return None if row is None else Case(*row)


def of_workflows(session: Reader | Writer, workflow_ids: Collection[str]) -> dict[str, Case]:
    """The cases that these workflows carry; a workflow of the platform's own is a case of kind ``system``."""
    asked: dict[CaseKind, list[UUID]] = {}
    found = {}
    for workflow_id in workflow_ids:
        kind, id_ = _parsed(workflow_id)
        asked.setdefault(kind, []).append(id_)
        found[workflow_id] = Case(id_, kind, workflow_id, None, 1, "", None, None, None)
    for kind, ids in asked.items():
        query = _HANDOVERS if kind == "handover" else _CASES
        for row in session.execute(query, {"kind": kind, "ids": ids}):
            found[row.workflow_id] = Case(*row)
    return found


def _parsed(workflow_id: str) -> tuple[CaseKind, UUID]:
    named = _ID.fullmatch(workflow_id)
    if named is None or named["kind"] not in _KINDS:
        return "system", uuid5(_SYSTEM, workflow_id)
    return _KINDS[named["kind"]], UUID(named["id"])


_VIEW = table("workflow_case", *(column(name) for name in Case._fields))
CASE_COLUMNS: tuple[Any, ...] = tuple(_VIEW.c[name] for name in Case._fields)
"""Of the view ``workflow_case`` (migration 0013), in the order of `Case`."""
_BY_ID = select(*CASE_COLUMNS).where(_VIEW.c.case_id == bindparam("case_id"))
_NOTED = sql(
    "SELECT case_id, case_kind, workflow_id, unit_code, people, '', NULL, NULL, NULL"
    " FROM stuck_work WHERE case_id = :case_id ORDER BY seen_at DESC LIMIT 1"
)
_CASES = sql(
    f"SELECT {', '.join(Case._fields)} FROM workflow_case WHERE kind = :kind AND case_id = ANY(:ids)"  # noqa: S608
)
_HANDOVERS = sql(
    f"""
    SELECT {", ".join(Case._fields)} FROM (
        SELECT DISTINCT ON (from_id) id FROM handover WHERE from_id = ANY(:ids)
        ORDER BY from_id, created_at DESC
    ) AS latest JOIN workflow_case ON case_id = id AND kind = :kind
    """  # noqa: S608
)
"""A person's handovers share one workflow id; the latest is the one it carries."""
