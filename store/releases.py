"""Published rulebooks: which one judges on a day, compiled once per process."""

from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from rules.engine.judge import Judge
from rules.engine.release import Release
from schemas.errors import Refusal
from schemas.tables.rulebook import RulebookRelease
from store.database import Writer

CHINA = ZoneInfo("Asia/Shanghai")
"""A release takes effect at midnight here: the law knows one time zone."""


class Rulebook(NamedTuple):
    """One release, ready to judge."""

    release: Release
    judge: Judge


class Rulebooks:
    """Reads releases from the database and keeps the compiled ones by digest; a new one needs no restart."""

    def __init__(self) -> None:
        self._compiled: dict[str, Rulebook] = {}

    def in_force(self, session: Session, at: datetime) -> Rulebook:
        """The release that judges at an instant.

        Raises:
            Refusal: ``no_rulebook_in_force``, when none has been published for that day.
        """
        newest = (col(RulebookRelease.effective_from).desc(), col(RulebookRelease.published_at).desc())
        on_time = col(RulebookRelease.effective_from) <= china_day(at)
        digest = session.exec(
            select(RulebookRelease.digest).where(on_time).order_by(*newest).limit(1)
        ).first()
        if digest is None:
            raise Refusal("no_rulebook_in_force")
        return self.by_digest(session, digest)

    def by_digest(self, session: Session, digest: str) -> Rulebook:
        """One release by its digest.

        Raises:
            Refusal: ``no_rulebook_in_force``, when there is no such release.
        """
        if digest not in self._compiled:
            row = session.get(RulebookRelease, digest)
            if row is None:
                raise Refusal("no_rulebook_in_force")
            release = Release.from_canonical(row.canonical)
            self._compiled[digest] = Rulebook(release, Judge(release))
        return self._compiled[digest]


def china_day(at: datetime) -> date:
    """The calendar day of an instant in China."""
    return at.astimezone(CHINA).date()


def publish(writer: Writer, release: Release) -> bool:
    """Store a release; False when it was there already."""
    if writer.get(RulebookRelease, release.digest) is not None:
        return False
    writer.add(
        RulebookRelease(
            digest=release.digest,
            version=release.version,
            effective_from=release.effective_from,
            canonical=release.canonical(),
        )
    )
    return True
