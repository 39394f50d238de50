"""An audited event (审计事件) as the bytes that are hashed.

A record is a JSON object with exactly the members in `FIELDS`. Its canonical form is UTF-8 without blanks,
members sorted by name at every depth: that of RFC 8785, as no event has fractions or keys outside ASCII.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Record = Mapping[str, Any]
"""A JSON object."""
FIELDS = (
    "id",
    "at",
    "act",
    "actor_kind",
    "actor_id",
    "case_kind",
    "case_id",
    "workflow_id",
    "operation_id",
    "reason",
    "facts",
)


def canonical(content: Record) -> bytes:
    """The bytes of a record.

    Raises:
        ValueError: It has characters that no UTF-8 has.
    """
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def moment(at: datetime) -> str:
    """A time as records have it: RFC 3339, UTC, always six digits of a second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
