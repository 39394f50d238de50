"""Where a claim (认领) stands: the words that tables, messages and answers share."""

from typing import Literal

ClaimState = Literal[
    "stored",
    "waiting_for_code",
    "waiting_for_approval",
    "moving",
    "waiting_for_unit",
    "moved",
    "already_moved",
    "declined",
    "locked",
    "lapsed",
    "not_matched",
    "reversed",
]
"""``stored``: typed, and not counted yet; nobody is shown such a claim."""
CLOSED: tuple[ClaimState, ...] = (
    "moved",
    "already_moved",
    "declined",
    "locked",
    "lapsed",
    "not_matched",
    "reversed",
)
"""States in which a claim is over once nothing more is due: a unit's can be reversed for some days."""
