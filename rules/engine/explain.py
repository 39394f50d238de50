"""Why a record is accepted or refused: each rule that looked at it, in order; and what may go where."""

import difflib
import unicodedata
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import jsonschema_rs

from rules.engine.judge import Judge
from rules.engine.model import Cell
from rules.engine.release import Release
from schemas.findings import Finding
from schemas.texts import Text

Outcome = Literal["speaks", "satisfied", "silent"]
"""A rule speaks where it remarks; satisfied where condition and demand both hold; else silent."""


class Look(NamedTuple):
    """One rule's look at a record."""

    rule: str
    outcome: Outcome
    findings: list[Finding]


def explain(judge: Judge, subject: str, record: Mapping[str, Any]) -> list[Look]:
    """Every rule that looked at a record, in the order they are told: the form first.

    Args:
        judge: The release that judges.
        subject: A form's name, ``manifest`` or ``submission``.
        record: JSON-like values.

    Raises:
        KeyError: There is no such subject.
    """
    findings = judge.judge(subject, record)
    rules = [rule for rule in judge.release.subject_rules(subject) if not rule.unique]
    beyond = {rule.id for rule in rules}
    looks = [
        Look(finding.rule, "speaks", [finding]) for finding in findings if finding.rule not in beyond
    ] or [Look(subject, "satisfied", [])]
    for rule in rules:
        mine = [finding for finding in findings if finding.rule == rule.id]
        applies = jsonschema_rs.Draft202012Validator(rule.when).is_valid(record)
        looks.append(Look(rule.id, "speaks" if mine else "satisfied" if applies else "silent", mine))
    return looks


def subject_of(release: Release, record: Mapping[str, Any]) -> str:
    """The subject a record is most likely meant for: the form that has most of its fields."""
    fields = {name: release.form(name)["properties"].keys() for name in release.forms}
    return max(fields, key=lambda name: len(fields[name] & record.keys()) - len(record.keys() - fields[name]))


class Way(NamedTuple):
    """One kind of data and the repositories that take it."""

    category: Text
    data_type: Text
    kind: Text | None
    repositories: tuple[str, ...]
    formats: dict[str, dict[str, tuple[str, ...]]]


def what_may_go(release: Release, id_: str) -> list[Way]:
    """The cells of one repository or one category, by its id."""
    return [
        _way(release, cell, [id_] if id_ in release.repositories else list(cell.repositories))
        for cell in release.cells
        if id_ == cell.category or id_ in cell.repositories
    ]


def called(release: Release, name: str) -> tuple[str | None, str | None]:
    """The repository or category that people mean by a name.

    Args:
        release: The rules.
        name: An id, a name or a title in either language, in any case, with or without hyphens.

    Returns:
        Its id, or None; then the id of the one that is called most like it, or None.
    """
    known = {
        _folded(word): id_
        for entries in (release.categories, release.repositories)
        for id_, entry in entries.items()
        for word in (id_, *entry.title, getattr(entry, "name", id_))
    }
    close = difflib.get_close_matches(_folded(name), known, n=1)
    return known.get(_folded(name)), known[close[0]] if close else None


def _folded(name: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKC", name).casefold() if letter.isalnum())


def _way(release: Release, cell: Cell, repositories: list[str]) -> Way:
    kind = None
    if cell.kind:
        forms = (release.form(form)["properties"] for form in release.forms)
        values = next(form[cell.kind[0]]["x-values"] for form in forms if cell.kind[0] in form)
        kind = Text(values[cell.kind[1]]["zh"], values[cell.kind[1]]["en"])
    return Way(
        release.categories[cell.category].title,
        cell.title,
        kind,
        tuple(release.repositories[id_].name for id_ in repositories),
        {id_: release.repositories[id_].formats[cell.data_type] for id_ in repositories},
    )
