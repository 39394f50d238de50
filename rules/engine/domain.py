"""The finite space on which decisions are compared: choices, boundary values, examples, and absence."""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import jsonschema_rs

from rules.engine.forms import places, without_annotations
from rules.engine.judge import Judge
from rules.engine.matrix import ROW_FIELDS
from rules.engine.release import Release
from rules.engine.rule import Rule, Schema

Place = tuple[str, ...]
"""Fields from the record inwards; ``items`` is the first element of a list."""


class _Absent:
    """Stands for a field that is not there."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()

_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_STRUCTURE = frozenset({"properties", "required", "not", "anyOf", "allOf", "if", "then", "else"})
_MOST_FIELDS = 4
"""A flawless record is sought by varying no more fields than this at once."""
_LONGEST = 5000
"""Longer texts and lists than this are not tried."""


class Probe(NamedTuple):
    """One record to ask about.

    Attributes:
        conditions: What it is like, in the words a person compares by.
        changes: How it differs from a flawless record.
    """

    conditions: Mapping[Place, Any]
    changes: Mapping[Place, Any]


class Domain:
    """The probes of one subject, drawn from all releases to be compared."""

    def __init__(self, releases: Sequence[Release], subject: str) -> None:
        self.subject = subject
        self._releases = [release for release in releases if subject in release.subjects]
        self._forms = [release.subject_form(subject) for release in self._releases]
        self._rows = any(form.get("properties", {}).keys() >= ROW_FIELDS for form in self._forms)
        self.fields: dict[Place, dict[str, Any]] = {}
        self.candidates: dict[Place, list[Any]] = {}
        for form in self._forms:
            for place, field in places(form):
                self.fields.setdefault(place, field)
                if "properties" not in field:
                    self._add(place, values(field))
        for rule in self._rules():
            for place, fragment in rule_leaves(rule):
                self._add(place, values(fragment))
        for release in self._releases if self._rows else ():
            for repository in release.repositories.values():
                for name, identifier in repository.identifiers.items():
                    self._add((name,), identifier.examples)

    def base(self, judge: Judge) -> dict[str, Any]:
        """A record on which a release remarks nothing, or as little as can be found."""
        form = judge.release.subject_form(self.subject)
        record = {name: sample(form["properties"][name]) for name in form.get("required", [])}
        if self._rows:
            cell = next(self._cells())
            record |= {place[0]: value for place, value in cell.changes.items() if value is not ABSENT}
        best = judge.judge(self.subject, record)
        for rule in judge.release.subject_rules(self.subject):
            asked = {place for place, _ in rule_leaves(rule)}
            if len(asked) > _MOST_FIELDS or all(finding.rule != rule.id for finding in best):
                continue
            for changes in self.assignments(asked):
                tried = apply(record, changes)
                findings = judge.judge(self.subject, tried)
                if len(findings) < len(best):
                    record, best = tried, findings
        return record

    def cells(self) -> Iterator[Probe]:
        """The matrix: where each kind of data may go, in which formats, under which numbers."""
        if self._rows:
            yield from self._cells()
            yield from self._suffixes()
            yield from self._identifiers()

    def questions(self) -> Iterator[Probe]:
        """Everything else: the fields of each rule varied together, other fields one by one."""
        for question in self._questions():
            for changes in self.assignments(question):
                yield Probe(changes, changes)

    def assignments(self, asked: Iterable[Place]) -> Iterator[dict[Place, Any]]:
        """Every combination of candidates for some fields, absence included."""
        order = list(self.fields)
        names = sorted(set(asked), key=lambda place: (order.index(place) if place in order else -1, place))
        lists = [[*self.candidates.get(place, []), ABSENT] for place in names]
        for combination in itertools.product(*lists):
            yield dict(zip(names, combination, strict=True))

    def _rules(self) -> Iterator[Rule]:
        for release in self._releases:
            yield from release.subject_rules(self.subject)

    def _add(self, place: Place, found: Iterable[Any]) -> None:
        known = self.candidates.setdefault(place, [])
        seen = {json.dumps(value) for value in known}
        for value in found:
            if (text := json.dumps(value)) not in seen:
                seen.add(text)
                known.append(value)

    def _questions(self) -> list[frozenset[Place]]:
        """Fields to be varied together: those of one rule, or else each on its own."""
        asked = {frozenset(place for place, _ in rule_leaves(rule)) for rule in self._rules()}
        asked |= {frozenset([place]) for place in self.candidates}
        answered = frozenset((name,) for name in self._cell_fields()) if self._rows else frozenset()
        open_ = {question for question in asked if len(question) == 1 or not question <= answered}
        widest = [question for question in open_ if not any(question < other for other in open_)]
        return sorted(widest, key=sorted)

    def _cell_fields(self) -> frozenset[str]:
        kinds = {cell.kind[0] for release in self._releases for cell in release.cells if cell.kind}
        identifiers = {
            name
            for release in self._releases
            for repository in release.repositories.values()
            for name in repository.identifiers
        }
        return ROW_FIELDS | kinds | identifiers

    def _cells(self) -> Iterator[Probe]:
        """Category × data type × kind × repository × format, each with a fitting number and file name."""
        kinds = sorted({cell.kind[0] for release in self._releases for cell in release.cells if cell.kind})
        names = ["category", "data_type", "repository", *kinds, "file_format"]
        lists = [self._choices(name, optional=name not in names[:3]) for name in names]
        for combination in itertools.product(*lists):
            row = dict(zip(names, combination, strict=True))
            suffix = self._suffix(row["repository"], row["data_type"], row["file_format"])
            changes = {
                **row,
                "file_name": f"file{suffix}",
                "accession": next(self._examples(row["repository"], "accession"), ABSENT),
            }
            yield Probe(_placed(row), _placed(changes))

    def _taken(self) -> list[tuple[dict[str, Any], str]]:
        """Cells that every release knows, each with each repository that takes it everywhere."""
        taken = [
            {(cell[:3], repository) for cell in release.cells for repository in cell.repositories}
            for release in self._releases
        ]
        found = []
        for (category, data_type, kind), repository in sorted(set.intersection(*taken), key=repr):
            row = {"category": category, "data_type": data_type, **({kind[0]: kind[1]} if kind else {})}
            found.append((row, repository))
        return found

    def _suffixes(self) -> Iterator[Probe]:
        """Every suffix in every cell that takes files, with the formats that know it and without a format."""
        formats = [
            (name, data_type, format_, suffix)
            for release in self._releases
            for name, repository in release.repositories.items()
            for data_type, taken in repository.formats.items()
            for format_, suffixes in taken.items()
            for suffix in suffixes
        ]
        everything = sorted({suffix for *_, suffix in formats})
        for row, repository in self._taken():
            accession = next(self._examples(repository, "accession"), ABSENT)
            mine = {(f, s) for name, kind, f, s in formats if name == repository and kind == row["data_type"]}
            for format_, suffix in [*sorted(mine), *((ABSENT, suffix) for suffix in everything)]:
                told = {**row, "repository": repository, "file_format": format_, "file_name": f"*{suffix}"}
                changes = {**told, "file_name": f"file{suffix}", "accession": accession}
                yield Probe(_placed(told), _placed(changes))

    def _identifiers(self) -> Iterator[Probe]:
        """Every example and counter-example of every identifier, in the first cell its repository takes."""
        cells = {repository: row for row, repository in reversed(self._taken())}
        for repository, row in cells.items():
            name = f"file{self._suffix(repository, row['data_type'], ABSENT)}"
            asked = {
                (field, example)
                for release in self._releases
                if repository in release.repositories
                for field, identifier in release.repositories[repository].identifiers.items()
                for example in (*identifier.examples, *identifier.counter_examples)
            }
            for field, example in sorted(asked):
                told = {"repository": repository, field: example}
                accession = next(self._examples(repository, "accession"), ABSENT)
                changes = {**row, "file_name": name, "accession": accession, **told}
                yield Probe(_placed(told), _placed(changes))

    def _choices(self, name: str, *, optional: bool) -> list[Any]:
        fields = (form["properties"].get(name, {}) for form in self._forms)
        found = dict.fromkeys(value for field in fields for value in field.get("enum", ()))
        return [ABSENT, *found] if optional else list(found)

    def _examples(self, repository: str, field: str) -> Iterator[str]:
        for release in self._releases:
            entry = release.repositories.get(repository)
            if entry and field in entry.identifiers:
                yield entry.identifiers[field].examples[0]

    def _suffix(self, repository: str, data_type: str, format_: Any) -> str:
        """A suffix that fits there, or anywhere, or none."""
        entries = [
            release.repositories[repository]
            for release in self._releases
            if repository in release.repositories
        ]
        for formats in [entry.formats.get(data_type, {}) for entry in entries]:
            for name, suffixes in formats.items():
                if format_ in (ABSENT, name):
                    return suffixes[0]
        everywhere = (
            suffixes[0]
            for release in self._releases
            for entry in release.repositories.values()
            for formats in entry.formats.values()
            for name, suffixes in formats.items()
            if name == format_
        )
        return next(everywhere, "")


def rule_leaves(rule: Rule) -> Iterator[tuple[Place, Schema]]:
    """Every field a rule asks about, with what it asks."""
    yield from leaves(rule.when)
    yield from leaves(rule.require)
    for name in rule.order or ():
        yield (name,), True


def leaves(schema: Schema, place: Place = ()) -> Iterator[tuple[Place, Schema]]:
    """The innermost fields of a fragment, with what it asks of each."""
    if isinstance(schema, bool):
        if place:
            yield place, schema
        return
    for name in schema.get("required", []):
        yield (*place, name), True
    for name, inner in schema.get("properties", {}).items():
        yield from leaves(inner, (*place, name))
    for inner in (*schema.get("anyOf", []), *schema.get("allOf", [])):
        yield from leaves(inner, place)
    for key in ("not", "if", "then", "else"):
        if key in schema:
            yield from leaves(schema[key], place)
    own = {key: value for key, value in schema.items() if key not in _STRUCTURE}
    if own and place:
        yield place, own


def values(schema: Schema) -> list[Any]:
    """Values on both sides of everything a schema asks of one value."""
    if isinstance(schema, bool):
        return []
    found = [*schema.get("examples", []), *schema.get("x-counter-examples", [])]
    found += schema.get("enum", [])
    if "const" in schema:
        found.append(schema["const"])
    found += [schema[key] + step for key in _BOUNDS if key in schema for step in (-1, 0, 1)]
    kind = schema.get("type")
    kinds = {"string": _texts, "array": _lists, "object": _objects}
    if isinstance(kind, str) and kind in kinds:
        found += kinds[kind](schema)
    elif kind == "boolean" or isinstance(schema.get("const"), bool):
        found += [False, True]
    elif kind == "null":
        found += [None, {}]
    elif kind == "integer" and not any(key in schema for key in _BOUNDS):
        found.append(1)
    return found


def _texts(schema: Mapping[str, Any]) -> Iterator[str]:
    if schema.get("format") == "date":
        yield from ("2026-01-01", "2026-01-02", "2026-02-30")
    elif "enum" not in schema and "const" not in schema and "examples" not in schema:
        lengths = {schema.get("minLength", 1), schema.get("minLength", 1) - 1, schema.get("minLength", 1) + 1}
        lengths |= {schema["maxLength"], schema["maxLength"] + 1} if "maxLength" in schema else set()
        yield from ("字" * length for length in sorted(lengths) if length <= _LONGEST)


def _lists(schema: Mapping[str, Any]) -> Iterator[list[Any]]:
    """The empty list, each element alone, one twice, and lists as long as the limits, one more, one less."""
    yield []
    items = schema.get("items", {})
    elements = [*values(items), *values(schema.get("contains", {}))]
    yield from ([element] for element in elements)
    element = sample(items)
    if schema.get("uniqueItems"):
        yield [element, element]
    for key in ("minItems", "maxItems"):
        for length in range(max(schema.get(key, 0) - 1, 0), schema.get(key, -1) + 2):
            if length <= _LONGEST and not schema.get("uniqueItems"):
                yield [element] * length
            elif length <= len(elements):
                yield elements[:length]


def _objects(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield {name: sample(schema["properties"][name]) for name in schema.get("required", [])}


def sample(schema: dict[str, Any]) -> Any:
    """A value that satisfies a field, as far as one is found."""
    fits = jsonschema_rs.Draft202012Validator(without_annotations(schema), validate_formats=True).is_valid
    found = values(schema)
    return next((value for value in found if fits(value)), found[0] if found else "字字字字")


def apply(record: Mapping[str, Any], changes: Mapping[Place, Any]) -> dict[str, Any]:
    """A record with some fields changed; fields inside a part that is absent stay absent."""
    changed: Any = dict(record)
    for place, value in changes.items():
        if len(place) > 1:
            changed = _put(changed, place, value)
        elif value is ABSENT:
            changed.pop(place[0], None)
        else:
            changed[place[0]] = value
    return dict(changed)


def _put(holder: Any, place: Place, value: Any) -> Any:
    if not place:
        return value
    name, inner = place[0], place[1:]
    if name == "items":
        if not isinstance(holder, list) or not holder:
            return holder
        first = _put(holder[0], inner, value)
        return holder[1:] if first is ABSENT else [first, *holder[1:]]
    if not isinstance(holder, dict):
        return holder
    rest = {key: content for key, content in holder.items() if key != name}
    content = _put(holder.get(name, {}) if inner else None, inner, value)
    return rest if content is ABSENT else {**rest, name: content}


def _placed(row: Mapping[str, Any]) -> dict[Place, Any]:
    return {(name,): value for name, value in row.items()}
