"""What checks of ``hgrip doctor`` look at and tell."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, NamedTuple

from sqlalchemy import Engine
from temporalio.client import Client

from schemas.texts import Text
from settings import Settings

State = Literal["works", "attention", "failed"]
SKEW = timedelta(seconds=5)
"""By so much clocks may differ: deadlines are compared between machines."""


class Found(NamedTuple):
    """How one thing stands.

    Attributes:
        mend: The command that mends it; empty where nothing is to be mended.
    """

    state: State
    told: Text
    mend: str = ""


@dataclass
class Ground:
    """What checks look at. None stands for what cannot be reached."""

    settings: Settings
    engine: Engine
    temporal: Client | None = None


class Check(NamedTuple):
    """One thing a run needs.

    Attributes:
        mend: Where to begin when the check finds nothing to look at.
    """

    name: str
    title: Text
    look: Callable[[Ground], Awaitable[Found]]
    mend: str = ""


def works(zh: str, en: str) -> Found:
    """Nothing is to be mended."""
    return Found("works", Text(zh, en))


def clock(skew: timedelta) -> Found:
    """How far two clocks are apart."""
    told = Text(f"相差 {skew.total_seconds():.1f} 秒", f"{skew.total_seconds():.1f} s apart")
    return Found("works", told) if skew < SKEW else Found("failed", told, "timedatectl set-ntp true")
