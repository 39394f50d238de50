"""What a working copy of the rules would have decided (影响): stored submissions, judged again."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple, Self
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import ColumnElement, Engine, func, text
from sqlmodel import Session, col, select

from rules.engine.judge import Verdict
from rules.engine.table import DecisionTable
from schemas.findings import Severity
from schemas.tables.backups import OPEN_STATES, Backup, BackupState
from schemas.tables.contents import ManifestFinding
from schemas.texts import Text
from store.database import reading
from store.forms import FormStore
from store.manifests import Counts, Record, stored_rows
from store.releases import Rulebook, Rulebooks
from store.submissions import StoredList, assess

BATCH = 100
"""Backups judged between two notes of how far it has come."""

Group = Literal["numbered", "open"]
Progress = Callable[[int, int], object]
GROUPS: tuple[Group, ...] = ("numbered", "open")
_NAMES: dict[Group, Text] = {
    "numbered": Text("已编号备份", "numbered backups"),
    "open": Text("草稿", "open drafts"),
}
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


class Sums(NamedTuple):
    """How many backups of one group would be judged otherwise, of those judged again.

    Attributes:
        worse: Accepted, and would be refused.
        better: Refused, and would be accepted.
        other: The verdict stays, remarks do not.
    """

    group: Group
    judged: int
    worse: int
    better: int
    other: int

    @classmethod
    def of(cls, group: Group, judged: int, kinds: Mapping[tuple[str, str], int]) -> Self:
        """Count changes by verdict before and after."""
        worse, better = kinds.get(("accepted", "refused"), 0), kinds.get(("refused", "accepted"), 0)
        return cls(group, judged, worse, better, sum(kinds.values()) - worse - better)

    @property
    def sentence(self) -> Text:
        """In one line, e.g. ``12 of 3,480 would change: 9 accepted → refused, …``."""
        zh_name, en_name = _NAMES[self.group]
        judged, changed = f"{self.judged:,}", self.worse + self.better + self.other
        return Text(
            f"{zh_name} {judged} 份中有 {changed:,} 份会改变："
            f"{self.worse:,} 份接受 → 拒绝，{self.better:,} 份拒绝 → 接受，{self.other:,} 份只是提示不同",
            f"{changed:,} of {judged} {en_name} would change: {self.worse:,} accepted → refused, "
            f"{self.better:,} refused → accepted, {self.other:,} with other remarks only",
        )


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

    def sums(self, group: Group) -> Sums:
        """The sums of one group."""
        found = (change for change in self.changed if change.group == group)
        kinds: Counter[tuple[str, str]] = Counter((change.before, change.after) for change in found)
        return Sums.of(group, self.seen[group], kinds)

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
    progress: Progress = lambda done, total: None,
) -> Impact:
    """Judge what was submitted by a working copy, noting in a file how far it has come.

    Args:
        engine: The database.
        rulebooks: The releases that judged, or would judge today.
        forms: Decrypts forms.
        candidate: The working copy.
        at: Now: the release in force then is what drafts are compared with.
        state: The file; removed at the end.
        progress: Told how many backups are done, of how many.

    Raises:
        Refusal: As for :func:`replay`.
    """
    found = Impact.resume(state, candidate.release.digest)
    replay(engine, rulebooks, forms, candidate, at, found, lambda now: now.note(state), progress)
    if state is not None:
        state.unlink(missing_ok=True)
    return found


def replay(
    engine: Engine,
    rulebooks: Rulebooks,
    forms: FormStore,
    candidate: Rulebook,
    at: datetime,
    found: Impact,
    note: Callable[[Impact], object],
    progress: Progress,
) -> None:
    """Judge all numbered backups, then all open drafts, by another release. Changes nothing of them.

    Legacy backups are left out: no release has ever judged them.

    Args:
        engine: The database.
        rulebooks: The releases that judged, or would judge today.
        forms: Decrypts forms.
        candidate: The other release.
        at: Now: the release in force then is what drafts are compared with.
        found: Where to begin, and what has been found; goes on growing.
        note: Keeps what is found after every batch; may take the changes out.
        progress: Told how many backups are done, of how many, and again after every part of a long list.

    Raises:
        Refusal: ``no_rulebook_in_force``, ``release_untrusted``.
    """
    with reading(engine) as reader:
        total = sum(_count(reader, group) for group in GROUPS)
    judging = _Judging(forms, lambda: progress(sum(found.seen.values()), total))
    for group in GROUPS:
        while True:
            with reading(engine) as reader:
                batch = _next(reader, group, found.after.get(group))
                for backup in batch:
                    old = _judge_of(reader, rulebooks, backup, at)
                    changed = _compare(reader, judging, backup.id, group, old, candidate)
                    found.changed += [changed] if changed else []
                    found.after[group] = backup.id
                    found.seen[group] += 1
                    judging.tell()
            note(found)
            if not batch:
                break


def _of(group: Group) -> tuple[ColumnElement[bool], ...]:
    return col(Backup.state).in_(_STATES[group]), col(Backup.registrant_id).is_(None)


def _count(session: Session, group: Group) -> int:
    return session.exec(select(func.count()).where(*_of(group))).one()


def _next(session: Session, group: Group, after: UUID | None) -> list[Backup]:
    query = select(Backup).where(*_of(group)).order_by(col(Backup.id)).limit(BATCH)
    if after is not None:
        query = query.where(col(Backup.id) > after)
    return list(session.exec(query))


def _judge_of(session: Session, rulebooks: Rulebooks, backup: Backup, at: datetime) -> Rulebook:
    """The release that numbered a backup, or judges a draft today."""
    if backup.release_digest is not None:
        return rulebooks.by_digest(session, backup.release_digest)
    return rulebooks.in_force(session, at)


class _Judging:
    """Judges backups by releases that have not judged them before."""

    def __init__(self, forms: FormStore, tell: Callable[[], object]) -> None:
        self._forms = forms
        self._tables: dict[tuple[str, str], DecisionTable | None] = {}
        self.tell = tell

    def judge(self, session: Session, rulebook: Rulebook, backup_id: UUID) -> _Judged:
        """The verdict of a release, also where it has never judged the rows of a list."""
        rules: set[str] = set()

        def rows(manifest: StoredList) -> Counts:
            counts, spoken = self._rows(session, rulebook, manifest)
            rules.update(spoken)
            return counts

        assessment = assess(session, rulebook, self._forms, backup_id, rows)
        findings = [*assessment.findings, *(found for step in assessment.steps for found in step.findings)]
        rules |= {finding.rule for finding in findings}
        verdict: Verdict = "accepted" if assessment.accepted else "refused"
        return _Judged(verdict, assessment.counts, frozenset(rules))

    def _rows(self, session: Session, rulebook: Rulebook, manifest: StoredList) -> tuple[Counts, set[str]]:
        """Findings on the rows of a list, as stored when the release judged it, else judged now."""
        if manifest.judged is not None:
            spoken = select(ManifestFinding.rule).where(
                ManifestFinding.manifest_id == manifest.id,
                ManifestFinding.release_digest == rulebook.release.digest,
            )
            return manifest.judged, set(session.exec(spoken.distinct()))
        counts, rules = Counts(), set[str]()
        for chunk in stored_rows(session, manifest.id):
            for rule, severity, times in self._spoken(rulebook, manifest.form, chunk):
                counts.count(severity, times)
                rules.add(rule)
            self.tell()
        for unique in rulebook.release.uniqueness(manifest.form):
            repeated = _repeated(session, manifest.id, unique.field)
            counts.count(unique.severity, repeated)
            rules |= {unique.id} if repeated else set()
        return counts, rules

    def _spoken(
        self, rulebook: Rulebook, form: str, rows: list[tuple[int, Record]]
    ) -> Iterator[tuple[str, Severity, int]]:
        """Which rules remark on how many rows: by column, and one by one what fits no column."""
        table = self._table(rulebook, form)
        if table is not None:
            frame, rows = table.frame(rows)
            yield from table.judge(frame).group_by("rule", "severity").len().iter_rows()
        for _, record in rows:
            for finding in rulebook.judge.judge(form, record):
                yield finding.rule, finding.severity, 1

    def _table(self, rulebook: Rulebook, form: str) -> DecisionTable | None:
        """The decision table of a form; None where a field holds several values."""
        key = rulebook.release.digest, form
        if key not in self._tables:
            try:
                self._tables[key] = DecisionTable(rulebook.judge, form)
            except ValueError:
                self._tables[key] = None
        return self._tables[key]


def _compare(
    session: Session, judging: _Judging, backup_id: UUID, group: Group, old: Rulebook, new: Rulebook
) -> Changed | None:
    before = judging.judge(session, old, backup_id)
    after = judging.judge(session, new, backup_id)
    if (before.verdict, before.counts) == (after.verdict, after.counts):
        return None
    rules = sorted(before.rules ^ after.rules)
    return Changed(id=backup_id, group=group, before=before.verdict, after=after.verdict, rules=rules)


def _repeated(session: Session, manifest_id: UUID, field: str) -> int:
    """How many rows of a list repeat an earlier row's value."""
    query = text(
        """
        SELECT count(record ->> :field) - count(DISTINCT record ->> :field)
        FROM manifest_row WHERE manifest_id = :manifest_id
        """
    )
    return int(session.execute(query, {"manifest_id": manifest_id, "field": field}).scalar_one())
