"""Thresholds are tried at their edge: one below, on it, and one above."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from rules.engine.faults import CaseFailure
from rules.engine.release import Release
from rules.engine.rule import Rule, Schema
from schemas.texts import Text

_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


class Threshold(NamedTuple):
    """A number (界限) at which a rule changes its mind, and the field it is compared with."""

    field: tuple[str, ...]
    bound: int


def thresholds(rule: Rule) -> list[Threshold]:
    """Every numeric bound in a rule's condition and requirement, each once."""
    return list(dict.fromkeys([*_within(rule.when, ()), *_within(rule.require, ())]))


def untried_thresholds(
    release: Release, subject: str, records: Iterable[Mapping[str, Any]]
) -> Iterator[CaseFailure]:
    """Thresholds of a subject's rules that no case tries at t−1, t and t+1.

    Args:
        release: Whose rules.
        subject: Whose records.
        records: Those of all cases of the subject.
    """
    several = list(records)
    for rule in release.subject_rules(subject):
        for field, bound in thresholds(rule):
            tried = {_value(record, field) for record in several}
            edge = {max(0, bound - 1), bound, bound + 1}  # what is counted is never below nought
            absent = [str(number) for number in sorted(edge - tried)]
            if absent:
                place, numbers = ".".join(field), ", ".join(absent)
                yield CaseFailure(
                    "",
                    rule.id,
                    Text(
                        f"界限 {bound} 没有试全：缺少 {place} 为 {numbers} 的用例。请补上。",
                        f"The bound {bound} is not tried on its edge: add cases where {place} is {numbers}.",
                    ),
                )


def _within(schema: Schema, field: tuple[str, ...]) -> Iterator[Threshold]:
    if isinstance(schema, bool):
        return
    yield from (Threshold(field, schema[key]) for key in _BOUNDS if key in schema)
    for name, fragment in schema.get("properties", {}).items():
        yield from _within(fragment, (*field, name))
    yield from _within(schema.get("not", True), field)


def _value(record: Any, field: tuple[str, ...]) -> int | None:
    """The number at a place; a truth value is none."""
    for name in field:
        record = record.get(name) if isinstance(record, Mapping) else None
    return record if type(record) is int else None
