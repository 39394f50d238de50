"""Where a handover (移交) stands: the words that tables, messages and answers share."""

from typing import Literal

HandoverState = Literal[
    "stored",
    "waiting_for_approval",
    "waiting_for_acceptance",
    "moving",
    "moved",
    "changed",
    "declined",
    "lapsed",
]
"""``stored``: asked for, and not looked at yet. ``changed``: nothing moved, since the backups were no longer
those that had been shown."""
CLOSED: tuple[HandoverState, ...] = ("moved", "changed", "declined", "lapsed")
Consent = Literal["approval", "acceptance"]
"""By a second administrator (复核), by the new delegate (接受)."""
