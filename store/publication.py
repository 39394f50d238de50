"""Bringing releases into force: one signed act per transaction, one at a time in the whole deployment."""

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import func, text
from sqlmodel import select

from rules.engine.acts import (
    Act,
    Content,
    Kind,
    ReleaseRefused,
    china_day,
    require_allowed,
    restored,
)
from rules.engine.release import Release
from rules.engine.signing import Signers, SigningKey
from schemas.tables.rulebook import RulebookAct, RulebookRelease
from store.database import Writer
from store.releases import acts, stands

LOCK = 0x72756C65
"""Advisory lock: of two acts at once the second sees what the first has done."""
SKEW = timedelta(days=1)
"""By how much our clock may differ from the database's: more, and a date means something else there."""


class ReleaseDesk:
    """One signer's hand on the releases (发布台)."""

    def __init__(self, signers: Signers, key: SigningKey) -> None:
        self._signers = signers
        self._key = key

    def propose(self, writer: Writer, release: Release, *, restores: str | None = None) -> bool:
        """Store a release for others to approve.

        Args:
            writer: The transaction.
            release: The compiled rules.
            restores: Digest of the earlier release whose rules these are (回退).

        Returns:
            False when that very release is there already.

        Raises:
            ReleaseRefused: ``version_taken``, ``unknown_release``, or the signer may not.
        """
        _take_turn(writer)
        same = writer.exec(select(RulebookRelease).where(RulebookRelease.version == release.version)).first()
        if same is not None and same.digest != release.digest:
            raise ReleaseRefused("version_taken")
        if same is not None and acts(writer, release.digest):
            return False
        if restores is not None:
            _require_same_rules(writer, release, restores)
        if same is None:
            writer.add(
                RulebookRelease(digest=release.digest, version=release.version, canonical=release.canonical())
            )
            writer.flush()
        self._act(writer, release.digest, "propose", restores=restores)
        return True

    def approve(self, writer: Writer, digest: str) -> None:
        """Approve what another proposed.

        Raises:
            ReleaseRefused: The signer proposed it, is no approver, or it does not wait for approval.
        """
        _take_turn(writer)
        self._act(writer, digest, "approve")

    def schedule(self, writer: Writer, digest: str, day: date | None = None) -> date:
        """Set or move the first day on which an approved release judges.

        Args:
            writer: The transaction.
            digest: The release.
            day: In China; None: the day that its files declare, or today if that is past.

        Returns:
            The day.

        Raises:
            ReleaseRefused: The day is past, or before the declared one, or before that of the release
                scheduled last; or the release has taken effect; or the signer may not.
        """
        _take_turn(writer)
        content = _content(writer, digest)
        chosen = day or max(content.declared, china_day(_now(writer)))
        last = func.max(RulebookAct.effective_from)
        others = writer.exec(select(last).where(RulebookAct.release_digest != digest, stands())).one()
        if others is not None and chosen < others:
            raise ReleaseRefused("date_before_last")
        self._act(writer, digest, "schedule", effective_from=chosen)
        return chosen

    def withdraw(self, writer: Writer, digest: str) -> None:
        """Take a release back before it takes effect: one signature stops what two would start.

        Raises:
            ReleaseRefused: It has taken effect, or was withdrawn already.
        """
        _take_turn(writer)
        self._act(writer, digest, "withdraw")

    def _act(
        self,
        writer: Writer,
        digest: str,
        kind: Kind,
        *,
        effective_from: date | None = None,
        restores: str | None = None,
    ) -> None:
        content = _content(writer, digest)
        before = [signed.act for signed in acts(writer, digest)]
        act = Act(
            release=digest,
            version=content.version,
            sequence=len(before) + 1,
            kind=kind,
            signer=self._key.id,
            at=_now(writer),
            effective_from=effective_from,
            restores=restores,
        )
        require_allowed(content, before, act, self._signers)
        signed = act.signed(self._key)
        if not self._signers.verify(act.signer, act.statement(), signed.signature):
            raise ReleaseRefused("unknown_signer")  # another key under a trusted id
        fields = act.model_dump(exclude={"release", "version"})
        writer.add(RulebookAct(release_digest=digest, signature=signed.signature, **fields))
        writer.flush()


def rollback(writer: Writer, desk: ReleaseDesk, earlier: Release, version: str, day: date) -> Release:
    """Propose an earlier release's rules anew (回退), to be approved and scheduled like any other.

    Raises:
        ReleaseRefused: As for ``propose``.
    """
    release = restored(earlier, version, day)
    desk.propose(writer, release, restores=earlier.digest)
    return release


def _take_turn(writer: Writer) -> None:
    writer.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def _now(writer: Writer) -> datetime:
    """The database's clock, which dates every act.

    Raises:
        ReleaseRefused: ``clocks_differ``.
    """
    now: datetime = writer.execute(select(func.clock_timestamp())).scalar_one()
    if abs(now - datetime.now(UTC)) > SKEW:
        raise ReleaseRefused("clocks_differ")
    return now.astimezone(UTC)


def _content(writer: Writer, digest: str) -> Content:
    row = writer.get(RulebookRelease, digest)
    if row is None:
        raise ReleaseRefused("unknown_release")
    return Content.read(row.canonical)


def _require_same_rules(writer: Writer, release: Release, restores: str) -> None:
    earlier = writer.get(RulebookRelease, restores)
    if earlier is None:
        raise ReleaseRefused("unknown_release")
    source = Release.from_canonical(earlier.canonical)
    if restored(source, release.version, release.effective_from).digest != release.digest:
        raise ReleaseRefused("content_altered")
