"""The semantic difference of two releases (语义差异): which decisions change, not which letters."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from rules.engine.conditions import Box, Wording, box, merged
from rules.engine.domain import ABSENT, Domain, Place, Probe, apply, rule_leaves
from rules.engine.judge import Judge
from rules.engine.release import Release
from rules.engine.spellings import PatternChange, pattern_changes
from schemas.findings import Finding, Severity
from schemas.texts import Text

VERDICTS: Mapping[Severity | None, Text] = {
    None: Text("接受", "accepted"),
    "advice": Text("接受并告知", "accepted with advice"),
    "warning": Text("接受并提醒", "accepted with a warning"),
    "error": Text("拒绝", "refused"),
}
_FORMAT, _FILE_NAME = ("file_format",), ("file_name",)
_STEP = 500
"""Records between two words about the progress."""
_GRAVEST: tuple[Severity, ...] = ("error", "warning", "advice")


class Change(NamedTuple):
    """One decision that comes out otherwise.

    Attributes:
        subject: What is judged.
        when: For which records, in words.
        before: The gravest remark of the old release; None: no remark.
        after: That of the new one.
    """

    subject: str
    when: Text
    before: Severity | None
    after: Severity | None

    @property
    def sentence(self) -> Text:
        """The change in one line."""
        before, after = VERDICTS[self.before], VERDICTS[self.after]
        return Text(f"{self.when.zh}：{before.zh} → {after.zh}", f"{self.when.en}: {before.en} → {after.en}")


class Difference(NamedTuple):
    """What changes from one release to another.

    Attributes:
        changes: Decisions that come out otherwise.
        settings: Values of procedures, as ``file: place: old → new``.
        files: Files whose content differs, also where no decision does.
        patterns: Patterns that are written otherwise, also where nothing tells them apart.
        asked: How many records were compared.
    """

    changes: list[Change]
    settings: list[str]
    files: list[str]
    patterns: list[PatternChange]
    asked: int

    def as_json(self) -> dict[str, Any]:
        """What programs read, and what is kept of a comparison."""
        return {
            "asked": self.asked,
            "changes": [
                {
                    "subject": change.subject,
                    "when": change.when._asdict(),
                    "before": change.before,
                    "after": change.after,
                    "sentence": change.sentence._asdict(),
                }
                for change in self.changes
            ],
            "patterns": [
                pattern._asdict() | {"sentence": pattern.sentence._asdict()} for pattern in self.patterns
            ],
            "settings": self.settings,
            "files": self.files,
        }


def diff(
    old: Release, new: Release, progress: Callable[[int, int], object] = lambda done, total: None
) -> Difference:
    """Compares two releases on the finite domain of both and on the boundary values of both.

    Args:
        old: What is.
        new: What is to be.
        progress: Told now and then how many records both were asked about, of how many.
    """
    judges = Judge(old), Judge(new)
    asked = 0

    def count() -> None:
        nonlocal asked
        asked += 1
        if asked % _STEP == 0:
            progress(asked, total)

    comparisons = [_Comparison(judges, subject, count) for subject in sorted(old.subjects & new.subjects)]
    total = sum(comparison.size for comparison in comparisons)
    changes = [change for comparison in comparisons for change in comparison.changes()]
    for subject in sorted(old.subjects ^ new.subjects):
        verdicts: tuple[Severity | None, Severity | None] = (
            (None, "error") if subject in old.subjects else ("error", None)
        )
        changes.append(Change(subject, Text(f"表单 {subject}", f"form {subject}"), *verdicts))
    first, second = (json.loads(release.canonical()) for release in (old, new))
    files = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    settings = [
        f"{name}: {line}"
        for name in files
        if name.startswith("procedures/")
        for line in _settings(first.get(name), second.get(name), "")
    ]
    return Difference(changes, settings, files, list(pattern_changes(first, second)), asked)


class _Comparison:
    """Two judges on one subject."""

    def __init__(self, judges: tuple[Judge, Judge], subject: str, count: Callable[[], None]) -> None:
        self._judges = judges
        self._count = count
        self._subject = subject
        releases = (judges[0].release, judges[1].release)
        self._releases = releases
        self._domain = Domain(releases, subject)
        self._wording = Wording(self._domain, releases[1])
        self._asks = {
            rule.id: frozenset(place for place, _ in rule_leaves(rule))
            for release in releases
            for rule in release.subject_rules(subject)
        }
        self._boxes: dict[tuple[Severity | None, Severity | None, tuple[Place, ...]], list[Box]] = {}
        self._universe: dict[tuple[Place, ...], Box] = {}
        self._cells, self._questions = list(self._domain.cells()), list(self._domain.questions())
        self.size = len(self._cells) + len(self._questions)

    def changes(self) -> list[Change]:
        bases = [self._domain.base(judge) for judge in self._judges]
        found = list(self._untold(bases[0]))
        if not self._judges[1].judge(self._subject, bases[0]):
            bases[1] = bases[0]
        whole: dict[Any, Any] = {}
        for probe in self._cells:
            before, after = self._ask(probe, bases)
            turned, cell = (_gravest(before), _gravest(after)), _cell(probe)
            if _FILE_NAME in probe.conditions and whole.get(cell) == turned:
                continue  # the cell has turned as a whole
            if probe.conditions.get(_FORMAT) is ABSENT:
                whole.setdefault(cell, turned)
            self._note(probe, *turned)
        for probe in self._questions:
            before, after = self._ask(probe, bases)
            gone, come = _minus(before, after), _minus(after, before)
            if self._are_asked_together(probe, gone + come):
                self._note(probe, _gravest(gone), _gravest(come))
        for (gone_, come_, places), boxes in self._boxes.items():
            universe = self._universe[places]
            found += [
                Change(self._subject, self._wording.records(one, universe), gone_, come_)
                for one in merged(boxes)
            ]
        return list(dict.fromkeys([*found, *self._uniqueness()]))

    def _ask(self, probe: Probe, bases: list[dict[str, Any]]) -> list[list[Finding]]:
        self._count()
        return [
            judge.judge(self._subject, apply(base, probe.changes))
            for judge, base in zip(self._judges, bases, strict=True)
        ]

    def _note(self, probe: Probe, before: Severity | None, after: Severity | None) -> None:
        one, places = box(probe.conditions), tuple(probe.conditions)
        known = self._universe.setdefault(places, defaultdict(frozenset))
        for place in places:
            known[place] |= one[place]
        if before != after:
            self._boxes.setdefault((before, after, places), []).append(one)

    def _are_asked_together(self, probe: Probe, findings: list[Finding]) -> bool:
        """A rule about several fields is told by the probes that vary all of them, and by no others."""
        return all(self._asks.get(finding.rule, frozenset()) <= {*probe.conditions} for finding in findings)

    def _untold(self, base: Mapping[str, Any]) -> Iterator[Change]:
        """A flawless record of the old release that the new one refuses for what no probe varies."""
        for finding in self._judges[1].judge(self._subject, base):
            if tuple(finding.pointer.split("/")[1:]) not in self._domain.candidates:
                message = self._releases[1].rules[finding.rule].message
                title = self._wording.title
                zh, en = f"{title.zh}，一向无误的记录", f"{title.en}, a record without fault so far"
                when = Text(f"{zh}（{message.zh}）", f"{en} ({message.en})")
                yield Change(self._subject, when, None, finding.severity)

    def _uniqueness(self) -> Iterator[Change]:
        """Rules that the store evaluates."""
        if self._subject not in self._releases[0].forms:
            return
        first, second = (
            {rule.field: rule.severity for rule in release.uniqueness(self._subject)}
            for release in self._releases
        )
        for field in sorted(first.keys() | second.keys()):
            if first.get(field) != second.get(field):
                name = self._wording.field((field,))
                when = Text(f"同一清单里{name.zh}重复", f"the same {name.en} twice in one list")
                yield Change(self._subject, when, first.get(field), second.get(field))


def _cell(probe: Probe) -> frozenset[tuple[Place, str]]:
    """What a probe says besides format and file name."""
    told = probe.conditions.items()
    return frozenset(
        (place, value) for place, value in told if place not in (_FORMAT, _FILE_NAME) and value is not ABSENT
    )


def _minus(some: list[Finding], others: list[Finding]) -> list[Finding]:
    """Remarks of the one that the other does not make, whatever the rules are called."""
    rest = Counter((finding.severity, finding.pointer) for finding in others)
    left = []
    for finding in some:
        key = (finding.severity, finding.pointer)
        if rest[key]:
            rest[key] -= 1
        else:
            left.append(finding)
    return left


def _gravest(findings: Iterable[Finding]) -> Severity | None:
    severities = {finding.severity for finding in findings}
    return next((severity for severity in _GRAVEST if severity in severities), None)


def _settings(old: Any, new: Any, place: str) -> Iterator[str]:
    """Every value that differs, by its place."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _settings(old.get(key), new.get(key), f"{place}.{key}" if place else key)
    elif old != new:
        yield f"{place}: {json.dumps(old, ensure_ascii=False)} → {json.dumps(new, ensure_ascii=False)}"
