"""Judges records by a release: one, a list, or a million rows in constant memory."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any, Literal, NamedTuple

import jsonschema_rs
from jsonschema_rs import ValidationErrorKind

from rules.engine.forms import KEYWORDS
from rules.engine.gate import gate_schema, narrowed
from rules.engine.proof import matrix_records
from rules.engine.release import Release
from rules.engine.rule import Rule, schema_of
from schemas.findings import Finding

Verdict = Literal["accepted", "refused"]
"""Accepted (通过): no finding is an error. Refused (不通过) otherwise."""

_RANK = {keyword: rank for rank, keyword in enumerate(KEYWORDS)}
_REMEMBERED = 1_000
"""Errors whose meaning a subject remembers: in lists inside of records, places have no end."""


Judged = tuple[int, Mapping[str, Any], list[Finding]]
"""A row of a list: its line, its record, and the rules' remarks on it."""


class Judge:
    """A release compiled for speed (校验器); safe to share between threads.

    A compiled gate says yes to a flawless record in about two microseconds; only where it says no are the
    authored rules asked which of them speaks.
    """

    def __init__(self, release: Release) -> None:
        """Compiles a release, and proves that both its shapes say the same on every cell of the matrix.

        Raises:
            RuntimeError: They do not: the compiler is wrong, and this release must not judge.
        """
        self.release = release
        self._subjects = {subject: _Subject(release, subject) for subject in release.subjects}
        for subject, compiled in self._subjects.items():
            for record in matrix_records(release, subject):
                if not compiled.agrees(record):
                    raise RuntimeError(f"gate and rules of {release.version} differ on a {subject}: {record}")

    def judge(self, subject: str, record: Mapping[str, Any]) -> list[Finding]:
        """Everything the rules remark on one record, in the order of the form and the rules.

        Args:
            subject: A form's name, ``manifest`` or ``submission``.
            record: JSON-like values.

        Raises:
            KeyError: There is no such subject.
            ValueError: The record is not JSON, for instance text with a lone surrogate.
        """
        return self._subjects[subject].judge(record if isinstance(record, dict) else dict(record))

    def judge_rows(
        self,
        subject: str,
        rows: Iterable[tuple[int, Mapping[str, Any]]],
        columns: Mapping[str, str] | None = None,
    ) -> Iterator[Judged]:
        """Judges rows as they come; nothing is kept.

        Args:
            subject: The form of one row.
            rows: Line number and record.
            columns: Field → header as the uploaded file spells it, to be named in findings.
        """
        judge = self._subjects[subject].judge
        names = columns or {}
        for line, record in rows:
            findings = judge(record if isinstance(record, dict) else dict(record))
            if findings:
                findings = [
                    finding._replace(line=line, column=names.get(finding.pointer[1:])) for finding in findings
                ]
            yield line, record, findings


def verdict(findings: Iterable[Finding]) -> Verdict:
    """Refused if any finding is an error."""
    return "refused" if any(finding.severity == "error" for finding in findings) else "accepted"


class _Remark(NamedTuple):
    """What one of the validator's errors means.

    Attributes:
        rank: Which keyword of a field is told, the least; None for a rule beyond the form.
        place: Where the form's rule stands among all.
    """

    rank: int | None
    place: int
    finding: Finding


_by_place = attrgetter("place")


class _Subject:
    """One subject's gate and wording."""

    def __init__(self, release: Release, subject: str) -> None:
        form = release.subject_form(subject)
        self._name = subject
        self._rules: list[Rule] = release.schema_rules(subject)
        self._orders = [rule for rule in release.subject_rules(subject) if rule.order]
        self._place = {id_: place for place, id_ in enumerate(release.rules)}
        self._gate = validator(gate_schema(form, self._rules)).is_valid
        authored = validator(schema_of(form, self._rules))
        self._holds, self._errors = authored.is_valid, authored.iter_errors
        self._field, self._narrowed = narrowed(form, self._rules)
        self._errors_where: dict[str, Callable[[Any], Iterable[jsonschema_rs.ValidationError]]] = {}
        self._remarks: dict[tuple[str | int | None, ...], _Remark] = {}

    def judge(self, record: dict[str, Any]) -> list[Finding]:
        try:
            findings = [] if self._gate(record) else self._explain(record)
        except ValueError:  # its text would show the value
            raise ValueError("the record holds something that is not JSON") from None
        if self._orders:
            wrong = {finding.pointer for finding in findings}
            findings += [
                Finding(rule.id, rule.severity, f"/{rule.order[1]}")
                for rule in self._orders
                if rule.order and _disordered(record, rule.order, wrong)
            ]
        return findings

    def agrees(self, record: dict[str, Any]) -> bool:
        """Whether gate and authored rules say the same of a record."""
        return self._gate(record) == self._holds(record)

    def _explain(self, record: dict[str, Any]) -> list[Finding]:
        by_form: dict[str, _Remark] = {}
        by_rule: dict[Finding, None] = {}
        for error in self._errors_of(record):
            remark = self._remark(error)
            pointer = remark.finding.pointer
            if remark.rank is None:
                by_rule[remark.finding] = None
            elif pointer not in by_form or remark.rank < (by_form[pointer].rank or 0):
                by_form[pointer] = remark
        ordered = sorted(by_form.values(), key=_by_place)  # not as the record's keys happen to come
        findings = [remark.finding for remark in ordered]
        return findings + [finding for finding in by_rule if finding.pointer not in by_form]

    def _errors_of(self, record: dict[str, Any]) -> Iterable[jsonschema_rs.ValidationError]:
        """Asks only the rules that can speak of such a record; compiled when the first such comes."""
        value = record.get(self._field)
        if not isinstance(value, str) or value not in self._narrowed:
            return self._errors(record)
        if value not in self._errors_where:
            self._errors_where[value] = validator(self._narrowed[value]).iter_errors
        return self._errors_where[value](record)

    def _remark(self, error: jsonschema_rs.ValidationError) -> "_Remark":
        """What an error means; remembered, for many rows have the same one."""
        path, missing = error.schema_path, None
        if path[-1] == "required" and isinstance(error.kind, ValidationErrorKind.Required):
            missing = error.kind.property
        place = (*path, None, *error.instance_path, None, missing)
        if place in self._remarks:
            return self._remarks[place]
        parts = [*error.instance_path, *([] if missing is None else [missing])]
        pointer = "".join(f"/{_escaped(part)}" for part in parts)
        if path[0] == "allOf":
            rule = self._rules[int(path[1])]
            remark = _Remark(None, 0, Finding(rule.id, rule.severity, pointer))
        else:
            id_, rank = self._rule_id(path, missing), _RANK.get(error.kind.name, len(_RANK))
            remark = _Remark(rank, self._place[id_], Finding(id_, "error", pointer))
        if len(self._remarks) < _REMEMBERED:
            self._remarks[place] = remark
        return remark

    def _rule_id(self, path: list[str | int], missing: str | None) -> str:
        names = [str(part) for part in path if part != "properties"]
        if missing is not None:
            names.insert(-1, missing)
        elif names[-1] == "not":  # the guard beside a pattern
            names[-1] = "pattern"
        return ".".join((self._name, *names))


def validator(schema: Any) -> jsonschema_rs.Draft202012Validator:
    """A compiled schema: formats are asserted, nothing remote is read, and no expression can make it hang."""
    return jsonschema_rs.Draft202012Validator(
        schema, validate_formats=True, pattern_options=jsonschema_rs.RegexOptions(), offline=True
    )


def _escaped(part: str | int) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def _disordered(record: Mapping[str, Any], order: tuple[str, str], wrong: set[str]) -> bool:
    first, second = (record.get(name) for name in order)
    if any(f"/{name}" in wrong for name in order) or type(first) is not type(second):
        return False
    return first is not None and first > second
