"""How far the cases reach (覆盖): which rules and matrix cells a case accepts, and which one refuses."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import jsonschema_rs

from rules.engine.cases import Case
from rules.engine.forms import places
from rules.engine.judge import Judge, verdict
from rules.engine.matrix import ROW_FIELDS
from rules.engine.mutate import written
from rules.engine.release import Release
from schemas.texts import Text


class Reach(NamedTuple):
    """How many cases accept something and how many refuse it.

    Attributes:
        name: Rule id; for a cell ``category.data-type.kind → repository``.
        accepted: Cases that meet its condition without its remark; for a cell: that are accepted there.
        refused: Cases with its remark; for a cell: that are refused there.
        wanted: Whether both are wanted: a cell takes only its own repositories, all others refuse.
    """

    name: str
    accepted: int
    refused: int
    wanted: tuple[bool, bool] = (True, True)

    @property
    def complete(self) -> bool:
        """Whether every wanted side has a case."""
        return (self.accepted > 0 or not self.wanted[0]) and (self.refused > 0 or not self.wanted[1])


class Trial(NamedTuple):
    """How well the cases try the rules.

    Attributes:
        rules: Reach of every rule.
        cells: Reach of every cell with every repository.
        survivors: Small changes that no case notices; empty where none were made.
        excused: What no case needs to try, with the reason.
    """

    rules: list[Reach]
    cells: list[Reach]
    survivors: list[str]
    excused: Mapping[str, Text]

    @property
    def gaps(self) -> list[Reach]:
        """Rules and cells that lack a case and have no excuse."""
        covers = [name.split(" ")[0] for name in self.excused]
        return [
            reach for reach in (*self.rules, *self.cells) if not reach.complete and reach.name not in covers
        ]

    @property
    def unnoticed(self) -> list[str]:
        """Small changes that no case notices and nobody excuses."""
        return [name for name in self.survivors if name not in self.excused]


def rule_coverage(release: Release, cases: Iterable[Case]) -> list[Reach]:
    """Every rule an author writes and a single record can break, in the order rules are told."""
    by_subject: dict[str, list[Case]] = {}
    for case in cases:
        by_subject.setdefault(case.subject, []).append(case)
    reached = []
    told = {rule.id for name in release.subjects for rule in release.subject_rules(name) if not rule.unique}
    told |= {rule for name in release.forms for rule in _form_rules(release, name)}
    for rule in release.rules.values():
        if rule.id not in told:
            continue
        applies = jsonschema_rs.Draft202012Validator(rule.when).is_valid
        tried = by_subject.get(rule.subject, [])
        refused = sum(rule.id in case.findings for case in tried)
        accepted = sum(rule.id not in case.findings and applies(case.record) for case in tried)
        reached.append(Reach(rule.id, accepted, refused))
    return reached


def _form_rules(release: Release, form: str) -> Iterator[str]:
    """Rules of a form's own keywords; that a value is of its type at all is the engine's to prove."""
    schema = release.form(form)
    for place, field in [((), schema), *places(schema)]:
        name = ".".join((form, *place))
        yield from (f"{name}.{key}" for key in written(field))
        yield from (f"{name}.{required}.required" for required in field.get("required", []))


def cell_coverage(release: Release, cases: Iterable[Case]) -> list[Reach]:
    """Every cell of the matrix with every repository: the right ones accept once, the others refuse once."""
    judge = Judge(release)
    seen: Counter[tuple[str, bool]] = Counter()
    rows = {name for name in release.forms if release.form(name)["properties"].keys() >= ROW_FIELDS}
    for case in cases:
        if case.subject in rows:
            taken = verdict(judge.judge(case.subject, case.record)) == "accepted"
            for name in _names(release, case.record):
                seen[name, taken] += 1
    return [
        Reach(name, seen[name, True], seen[name, False], (right, not right))
        for cell in release.cells
        for repository in release.repositories
        for name, right in [(_name(cell, repository), repository in cell.repositories)]
    ]


def _names(release: Release, record: Mapping[str, Any]) -> Iterable[str]:
    for cell in release.cells:
        asked = {
            "category": cell.category,
            "data_type": cell.data_type,
            **dict([cell.kind] if cell.kind else []),
        }
        if all(record.get(field) == value for field, value in asked.items()):
            yield _name(cell, str(record.get("repository")))


def _name(cell: Any, repository: str) -> str:
    parts = (cell.category, cell.data_type, *([cell.kind[1]] if cell.kind else []))
    return f"{'.'.join(parts)} → {repository}"
