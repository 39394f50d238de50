"""What a working copy of the rules would have decided (影响): stored submissions, judged again."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple, Self
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Engine, func, text
from sqlmodel import Session, col, select

from rules.engine.judge import Verdict
from schemas.tables.backups import OPEN_STATES, Backup, BackupState
from schemas.tables.contents import ManifestFinding
from schemas.texts import Text
from store.database import reading
from store.forms import FormStore
from store.manifests import Counts, stored_rows
from store.releases import Rulebook, Rulebooks
from store.submissions import Assessment, StoredList, assess

BATCH = 100
"""Backups judged between two notes of how far it has come."""

Group = Literal["numbered", "open"]
_STATES: dict[Group, tuple[BackupState, ...]] = {"numbered": (BackupState.NUMBERED,), "open": OPEN_STATES}


class Changed(BaseModel):
    """One backup that would be judged otherwise. It names no person and no value.

    Attributes:
        group: ``numbered``, or ``open`` for a draft.
        before: What the release that numbered it said; for a draft, the one in force.
        rules: Rules that would speak and did not, or did and would not.
    """

    id: UUID
    group: Group
    before: Verdict
    after: Verdict
    rules: list[str]


class Impact(BaseModel):
    """What would change, and how far the replay has come.

    Attributes:
        candidate: Digest of the working copy.
        seen: Backups judged again so far, by group.
        after: The last of them in each group; backups are taken by id.
        changed: Those that would come out otherwise, remarks included.
    """

    candidate: str
    seen: dict[Group, int] = {"numbered": 0, "open": 0}
    after: dict[Group, UUID] = {}
    changed: list[Changed] = []

    def sentence(self, group: Group) -> Text:
        """The sums of one group, e.g. ``12 of 3480 would change: 9 accepted → refused, …``."""
        found = [change for change in self.changed if change.group == group]
        kinds = Counter((change.before, change.after) for change in found)
        worse, better = kinds["accepted", "refused"], kinds["refused", "accepted"]
        other, seen = len(found) - worse - better, f"{self.seen[group]:,}"
        zh_name, en_name = (
            ("已编号备份", "numbered backups") if group == "numbered" else ("草稿", "open drafts")
        )
        return Text(
            f"{zh_name} {seen} 份中有 {len(found)} 份会改变："
            f"{worse} 份接受 → 拒绝，{better} 份拒绝 → 接受，{other} 份只是提示不同",
            f"{len(found)} of {seen} {en_name} would change: {worse} accepted → refused, "
            f"{better} refused → accepted, {other} with other remarks only",
        )

    @classmethod
    def resume(cls, state: Path | None, candidate: str) -> Self:
        """The replay that was broken off for the same working copy, or a new one."""
        if state is not None and state.is_file():
            found = cls.model_validate_json(state.read_bytes())
            if found.candidate == candidate:
                return found
        return cls(candidate=candidate)

    def note(self, state: Path | None) -> None:
        """Write down how far it has come; a crash leaves the note before."""
        if state is not None:
            state.parent.mkdir(parents=True, exist_ok=True)
            fresh = state.with_suffix(".new")
            fresh.write_text(self.model_dump_json(), "utf-8")
            fresh.replace(state)


class _Judged(NamedTuple):
    """What one release says of one backup."""

    verdict: Verdict
    counts: Counts
    rules: frozenset[str]


def impact(
    engine: Engine,
    rulebooks: Rulebooks,
    forms: FormStore,
    candidate: Rulebook,
    at: datetime,
    state: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Impact:
    """Judge all numbered backups, then all open drafts, by a working copy. Changes nothing.

    Args:
        engine: The database.
        rulebooks: The releases that judged, or would judge today.
        forms: Decrypts forms.
        candidate: The working copy.
        at: Now: the release in force then is what drafts are compared with.
        state: Where to note how far it has come; removed at the end.
        progress: Told how many are done, of how many.

    Raises:
        Refusal: ``no_rulebook_in_force``, ``release_untrusted``.
    """
    found = Impact.resume(state, candidate.release.digest)
    with reading(engine) as reader:
        total = {group: _count(reader, states) for group, states in _STATES.items()}
    for group in _STATES:
        while True:
            with reading(engine) as reader:
                batch = _next(reader, group, found.after.get(group))
                for backup in batch:
                    old = _judging(reader, rulebooks, backup, at)
                    changed = _compare(reader, forms, backup.id, group, old, candidate)
                    found.changed += [changed] if changed else []
                    found.after[group] = backup.id
                    found.seen[group] += 1
                    progress(sum(found.seen.values()), sum(total.values()))
            found.note(state)
            if not batch:
                break
    if state is not None:
        state.unlink(missing_ok=True)
    return found


def _count(session: Session, states: tuple[BackupState, ...]) -> int:
    return session.exec(select(func.count()).where(col(Backup.state).in_(states))).one()


def _next(session: Session, group: Group, after: UUID | None) -> list[Backup]:
    query = select(Backup).where(col(Backup.state).in_(_STATES[group])).order_by(col(Backup.id)).limit(BATCH)
    if after is not None:
        query = query.where(col(Backup.id) > after)
    return list(session.exec(query))


def _judging(session: Session, rulebooks: Rulebooks, backup: Backup, at: datetime) -> Rulebook:
    """The release that numbered a backup, or judges a draft today."""
    if backup.release_digest is not None:
        return rulebooks.by_digest(session, backup.release_digest)
    return rulebooks.in_force(session, at)


def _compare(
    session: Session, forms: FormStore, backup_id: UUID, group: Group, old: Rulebook, new: Rulebook
) -> Changed | None:
    before = _judge(session, old, forms, backup_id)
    after = _judge(session, new, forms, backup_id)
    if (before.verdict, before.counts) == (after.verdict, after.counts):
        return None
    rules = sorted(before.rules ^ after.rules)
    return Changed(id=backup_id, group=group, before=before.verdict, after=after.verdict, rules=rules)


def _judge(session: Session, rulebook: Rulebook, forms: FormStore, backup_id: UUID) -> _Judged:
    """The verdict of a release, also where it has never judged the rows of a list."""
    rules: set[str] = set()

    def rows(manifest: StoredList) -> Counts:
        counts, spoken = _rows(session, rulebook, manifest)
        rules.update(spoken)
        return counts

    assessment: Assessment = assess(session, rulebook, forms, backup_id, rows)
    findings = [*assessment.findings, *(finding for step in assessment.steps for finding in step.findings)]
    rules |= {finding.rule for finding in findings}
    return _Judged("accepted" if assessment.accepted else "refused", assessment.counts, frozenset(rules))


def _rows(session: Session, rulebook: Rulebook, manifest: StoredList) -> tuple[Counts, set[str]]:
    """Findings on the rows of a list, as stored when the release judged it, else judged now."""
    if manifest.judged is not None:
        spoken = select(ManifestFinding.rule).where(
            ManifestFinding.manifest_id == manifest.id,
            ManifestFinding.release_digest == rulebook.release.digest,
        )
        return manifest.judged, set(session.exec(spoken.distinct()))
    counts, rules = Counts(), set[str]()
    for chunk in stored_rows(session, manifest.id):
        for _, _, findings in rulebook.judge.judge_rows(manifest.form, chunk):
            for finding in findings:
                counts.count(finding.severity)
                rules.add(finding.rule)
    for rule in rulebook.release.uniqueness(manifest.form):
        repeated = _repeated(session, manifest.id, rule.field)
        counts.count(rule.severity, repeated)
        rules |= {rule.id} if repeated else set()
    return counts, rules


def _repeated(session: Session, manifest_id: UUID, field: str) -> int:
    """How many rows of a list repeat an earlier row's value."""
    query = text(
        """
        SELECT count(record ->> :field) - count(DISTINCT record ->> :field)
        FROM manifest_row WHERE manifest_id = :manifest_id
        """
    )
    return int(session.execute(query, {"manifest_id": manifest_id, "field": field}).scalar_one())
