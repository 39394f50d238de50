"""Releases in the database: which one judges on a day, proven before it does, compiled once per process."""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import structlog
from pydantic import ValidationError
from sqlalchemy import ColumnElement, bindparam
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, or_, select

from rules.engine.acts import Act, Kind, ReleaseRefused, SignedAct, china_day, verify
from rules.engine.judge import Judge
from rules.engine.release import Release
from rules.engine.signing import Signers, SignersError
from schemas.errors import Refusal
from schemas.tables.rulebook import RulebookAct, RulebookRelease

log = structlog.get_logger()

SHORTEST = 8
"""Digits that name a release by the beginning of its digest."""


Status = Literal["proposed", "approved", "scheduled", "in_force", "superseded", "withdrawn", "untrusted"]
"""待批准、已批准、待生效、生效中、已被取代、已撤回、不可信."""

_STATUS: dict[Kind, Status] = {
    "propose": "proposed",
    "approve": "approved",
    "schedule": "scheduled",
    "withdraw": "withdrawn",
}


class Entry(NamedTuple):
    """One release as the ledger shows it.

    Attributes:
        effective_from: The day set; None before that.
        acts: Who signed what, when.
    """

    digest: str
    version: str
    status: Status
    effective_from: date | None
    acts: list[SignedAct]


class Rulebook(NamedTuple):
    """One release, ready to judge."""

    release: Release
    judge: Judge


class _Scheduled(NamedTuple):
    """What decides whether and since when a release judges."""

    digest: str
    sequence: int
    effective_from: date | None
    at: datetime
    signature: bytes


class Rulebooks:
    """Reads releases from the database and keeps the compiled ones by digest; a new one needs no restart.

    Only releases whose content, acts and signatures are proven judge. One that is not is passed over, with
    a word in the log, so that the release before it stays in force.
    """

    def __init__(self, trusted: Path) -> None:
        """Read the trusted keys.

        Args:
            trusted: The file of trusted keys; read again when it changes.

        Raises:
            SignersError: It is missing or malformed.
        """
        self._trusted = trusted
        self._signers = Signers.load(trusted)
        self._read_at = trusted.stat().st_mtime_ns
        self._proven: dict[_Scheduled, bool] = {}
        self._compiled: dict[str, Rulebook] = {}

    def in_force(self, session: Session, at: datetime) -> Rulebook:
        """The release that judges at an instant: of those scheduled by then, the one with the latest day.

        Raises:
            Refusal: ``no_rulebook_in_force``, when there is none for that instant; another day's never
                stands in.
        """
        self._follow_signers()
        for scheduled in _scheduled(session, at):
            if scheduled not in self._proven:
                self._proven[scheduled] = self._prove(session, scheduled.digest)
            if self._proven[scheduled]:
                return self._compile(session, scheduled.digest)
        raise Refusal("no_rulebook_in_force")

    def by_digest(self, session: Session, digest: str) -> Rulebook:
        """One release by its digest, whatever the day.

        Raises:
            Refusal: ``no_rulebook_in_force``, when there is no such release; ``release_untrusted``, when it
                was never scheduled or has been altered.
        """
        if digest not in self._compiled:
            if session.get(RulebookRelease, digest) is None:
                raise Refusal("no_rulebook_in_force")
            if not self._prove(session, digest):
                raise Refusal("release_untrusted")
        return self._compile(session, digest)

    def published(self, session: Session, digest: str) -> Release:
        """One stored release, whether or not it judges yet.

        Raises:
            Refusal: ``release_untrusted``, when it has been altered or a signature does not hold.
        """
        self._follow_signers()
        _, reason = proven(session, digest, self._signers)
        if reason is not None:
            raise Refusal("release_untrusted")
        return Release.from_canonical(session.get_one(RulebookRelease, digest).canonical)

    def _compile(self, session: Session, digest: str) -> Rulebook:
        """A proven release, compiled the first time."""
        if digest not in self._compiled:
            release = Release.from_canonical(session.get_one(RulebookRelease, digest).canonical)
            self._compiled[digest] = Rulebook(release, Judge(release))
        return self._compiled[digest]

    def entries(self, session: Session, at: datetime) -> list[Entry]:
        """Every release with its status at an instant, the one published last first."""
        self._follow_signers()
        return entries(session, self._signers, at)

    def _prove(self, session: Session, digest: str) -> bool:
        signed, reason = proven(session, digest, self._signers)
        if reason is None and (not signed or signed[-1].act.kind != "schedule"):
            reason = ReleaseRefused("not_judging")
        if reason is not None:
            log.error("release_untrusted", digest=digest, reason=reason.code, told=reason.text.zh)
        return reason is None

    def _follow_signers(self) -> None:
        """Trust whom the file names now; while it cannot be read, whom it named before."""
        try:
            read_at = self._trusted.stat().st_mtime_ns
            if read_at == self._read_at:
                return
            self._signers, self._read_at = Signers.load(self._trusted), read_at
        except (OSError, SignersError) as error:
            log.warning("signers_unreadable", reason=type(error).__name__)
            return
        self._proven = {}


def _scheduled(session: Session, at: datetime) -> Sequence[_Scheduled]:
    """Releases whose last act set a day that has come, set before that instant; the latest first.

    An act after the day has come is impossible, so that what judged at an instant is the same for ever.
    """
    asked = {"day": china_day(at), "at": at}
    return [_Scheduled(*row) for row in session.connection().execute(_SCHEDULED, asked)]


def stands() -> ColumnElement[bool]:
    """The act is the last one of its release: it has been neither moved nor withdrawn."""
    later = aliased(RulebookAct)
    return ~(
        select(later.sequence)
        .where(later.release_digest == RulebookAct.release_digest, later.sequence > RulebookAct.sequence)
        .exists()
    )


_SCHEDULED = (
    # built once: every save and submission asks
    select(*(col(getattr(RulebookAct, name)) for name in ("release_digest", *_Scheduled._fields[1:])))
    .where(
        col(RulebookAct.effective_from) <= bindparam("day"), col(RulebookAct.at) <= bindparam("at"), stands()
    )
    .order_by(col(RulebookAct.effective_from).desc(), col(RulebookAct.at).desc())
)


def proven(session: Session, digest: str, signers: Signers) -> tuple[list[SignedAct], ReleaseRefused | None]:
    """The signed acts of a release in order, and why it is not to be trusted, or None."""
    row = session.get_one(RulebookRelease, digest)
    signed: list[SignedAct] = []
    try:
        signed = acts(session, digest)
        verify(row.canonical, digest, signed, signers)
    except ReleaseRefused as refused:
        return signed, refused
    return signed, None


def acts(session: Session, digest: str) -> list[SignedAct]:
    """The signed acts of a release, in order.

    Raises:
        ReleaseRefused: ``bad_signature``, when a row is no act at all.
    """
    query = (
        select(RulebookAct).where(RulebookAct.release_digest == digest).order_by(col(RulebookAct.sequence))
    )
    release = session.get_one(RulebookRelease, digest)
    return [_signed(row, release.version) for row in session.exec(query)]


def _signed(row: RulebookAct, version: str) -> SignedAct:
    fields = row.model_dump(exclude={"release_digest", "signature"})
    try:
        return SignedAct(Act(release=row.release_digest, version=version, **fields), row.signature)
    except ValidationError:
        raise ReleaseRefused("bad_signature") from None


def entries(session: Session, signers: Signers, at: datetime) -> list[Entry]:
    """Every release with its status at an instant, the one published last first."""
    rows = session.exec(select(RulebookRelease).order_by(col(RulebookRelease.published_at).desc()))
    found = [_entry(session, row, signers) for row in rows]
    trusted = {entry.digest for entry in found if entry.status != "untrusted"}
    effective = [scheduled.digest for scheduled in _scheduled(session, at) if scheduled.digest in trusted]
    statuses: dict[str, Status] = dict.fromkeys(effective, "superseded")
    if effective:
        statuses[effective[0]] = "in_force"
    return [entry._replace(status=statuses.get(entry.digest, entry.status)) for entry in found]


def _entry(session: Session, row: RulebookRelease, signers: Signers) -> Entry:
    signed, reason = proven(session, row.digest, signers)
    last = signed[-1].act if signed else None
    status: Status = _STATUS[last.kind] if last and reason is None else "untrusted"
    return Entry(row.digest, row.version, status, last.effective_from if last else None, signed)


def find(session: Session, name: str) -> Release:
    """A stored release by its version, its digest, or the first eight or more digits of that.

    Raises:
        ReleaseRefused: ``unknown_release``, or ``content_altered``.
    """
    digest = digest_of(session, name)
    release = Release.from_canonical(session.get_one(RulebookRelease, digest).canonical)
    if release.digest != digest:
        raise ReleaseRefused("content_altered")
    return release


def digest_of(session: Session, name: str) -> str:
    """The digest of the one release that is named so: as for :func:`find`.

    Raises:
        ReleaseRefused: ``unknown_release``.
    """
    named: ColumnElement[bool] = col(RulebookRelease.version) == name
    if len(name) >= SHORTEST and name.isalnum():
        named = or_(named, col(RulebookRelease.digest).startswith(name))
    digests = session.exec(select(RulebookRelease.digest).where(named)).all()
    if len(digests) != 1:
        raise ReleaseRefused("unknown_release")
    return digests[0]
