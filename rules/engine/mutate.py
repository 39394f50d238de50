"""Changes each rule in small ways (变异) and reports which changes no case notices.

A mutant is a slip an author could make: a repository flipped, a threshold one off, a condition negated,
a pattern widened. A case notices it if the changed rule speaks where the rule is silent, or is silent where
the rule speaks.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import jsonschema_rs

from rules.engine.cases import Case
from rules.engine.domain import Place, leaves
from rules.engine.forms import places
from rules.engine.fragments import Choices, edits
from rules.engine.release import Release
from rules.engine.rule import Rule, Schema

_LIMITS = (
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "uniqueItems",
    "format",
    "pattern",
)

_ENGINE = ("not —", "else:", "pattern without $", "file_format —", "allOf")
"""Parts of a compiled rule that no author wrote."""


class Mutant(NamedTuple):
    """One rule, changed in one way.

    Attributes:
        id: The rule and the change, e.g. ``md5-needed: when: listing —``.
        subject: Whose cases may notice.
        differs: Whether rule and changed rule disagree on a record.
        proven: Whether the examples beside a pattern notice it already.
    """

    id: str
    subject: str
    differs: Callable[[Any], bool]
    proven: bool = False


def survivors(
    release: Release, cases: Iterable[Case], progress: Callable[[int, int], None] = lambda done, total: None
) -> list[Mutant]:
    """The mutants that no case notices.

    Args:
        release: The rules.
        cases: All cases beside them.
        progress: Told how many mutants are done, of how many.
    """
    records: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for case in cases:
        records[case.subject].append(case.record)
    everything = list(mutants(release))
    found = []
    for done, mutant in enumerate(everything, 1):
        if not mutant.proven and not any(mutant.differs(record) for record in records[mutant.subject]):
            found.append(mutant)
        progress(done, len(everything))
    return found


def mutants(release: Release) -> Iterator[Mutant]:
    """Every small change of what an author writes; what the engine adds to it is the engine's to prove."""
    documents = json.loads(release.canonical())
    authored = {
        rule["id"]
        for name, document in documents.items()
        if name.startswith("requirements/")
        for rule in document["rules"]
    }
    examples = {
        f"{name}.{field}": {field: (*identifier.examples, *identifier.counter_examples)}
        for name, repository in release.repositories.items()
        for field, identifier in repository.identifiers.items()
    }
    for subject in sorted(release.subjects):
        fields = release.subject_form(subject).get("properties", {})
        choices = {name: field.get("enum", []) for name, field in fields.items()}
        for rule in release.subject_rules(subject):
            if rule.order:
                yield from _orders(rule, rule.order)
            elif rule.id in authored and not rule.unique:
                yield from _authored(rule, choices)
            elif not rule.unique:
                yield from _compiled(rule, choices, examples.get(rule.id, {}))
    for name in release.forms:
        form = release.judged_form(name)
        for place, field in [((), form), *places(form)]:
            yield from _of_field(name, place, field)


def _authored(rule: Rule, choices: Choices) -> Iterator[Mutant]:
    """A requirement without its condition or demand, with the condition negated, or with one part changed."""
    examples = {
        place[0]: (*asked.get("examples", []), *asked.get("x-counter-examples", []))
        for place, asked in leaves(rule.require)
        if isinstance(asked, dict)
    }
    changed: list[tuple[str, Schema, Schema]] = [("require: —", rule.when, True)]
    if rule.when is not True:
        changed += [("when: —", True, rule.require), ("when: not", {"not": rule.when}, rule.require)]
    changed += [(f"when: {what}", when, rule.require) for what, when in edits(rule.when, choices)]
    changed += [(f"require: {what}", rule.when, require) for what, require in edits(rule.require, choices)]
    yield from (_mutant(rule, *change, examples) for change in changed)


def _compiled(rule: Rule, choices: Choices, examples: Mapping[str, tuple[str, ...]]) -> Iterator[Mutant]:
    """A cell, identifier or format with one repository, data type, format, suffix or digit more or less."""
    asked = {name: choices[name] for name in ("repository", "data_type") if name in choices}
    yield _mutant(rule, "—", rule.when, True, examples)
    for what, require in edits(rule.require, asked):
        if not any(engine in what for engine in _ENGINE):
            yield _mutant(rule, what, rule.when, require, examples)


def _mutant(
    rule: Rule, what: str, when: Schema, require: Schema, examples: Mapping[str, tuple[str, ...]]
) -> Mutant:
    disagree = _disagree(rule.require, require)
    return Mutant(
        f"{rule.id}: {what}",
        rule.subject,
        _disagree({"if": rule.when, "then": rule.require}, {"if": when, "then": require}),
        any(disagree({field: text}) for field, texts in examples.items() for text in texts),
    )


def written(field: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of a compiled field that its author wrote and that decide something."""
    keywords = {key: field[key] for key in _LIMITS if key in field}
    if "x-text" in field:
        del keywords["pattern"]
    if "x-values" in field and "x-values-from" not in field:
        keywords["enum"] = field["enum"]
    return keywords


def _of_field(form: str, place: Place, field: Mapping[str, Any]) -> Iterator[Mutant]:
    """A form's field with a limit one off, a choice or a keyword less, or a field no longer required."""
    name = ".".join((form, *place))
    examples = (*field.get("examples", []), *field.get("x-counter-examples", []))
    for key, value in written(field).items():
        for what, changed in edits({key: value}, {}):
            disagree = _disagree({key: value}, changed)
            differs = _disagree(_at(place, {key: value}), _at(place, changed))
            yield Mutant(f"{name}.{what}", form, differs, any(disagree(example) for example in examples))
    for required in field.get("required", []):
        yield Mutant(
            f"{name}.{required}.required —", form, _disagree(_at(place, {"required": [required]}), True)
        )


def _at(place: Place, schema: Schema) -> Schema:
    """A schema for the whole record that asks only about one place."""
    for name in reversed(place):
        schema = {"items": schema} if name == "items" else {"properties": {name: schema}}
    return schema


def _orders(rule: Rule, order: tuple[str, str]) -> Iterator[Mutant]:
    """The order turned round, made strict, or dropped."""

    def differs(record: Mapping[str, Any], equal: bool, less: bool, more: bool) -> bool:
        first: Any = record.get(order[0])
        second: Any = record.get(order[1])
        if first is None or type(first) is not type(second):
            return False
        return equal if first == second else less if first < second else more

    yield Mutant(f"{rule.id}: order —", rule.subject, partial(differs, equal=False, less=False, more=True))
    yield Mutant(f"{rule.id}: order <", rule.subject, partial(differs, equal=True, less=False, more=False))
    yield Mutant(f"{rule.id}: order ≥", rule.subject, partial(differs, equal=False, less=True, more=True))


def _disagree(first: Schema, second: Schema) -> Callable[[Any], bool]:
    holds = [
        jsonschema_rs.Draft202012Validator(
            schema, validate_formats=True, pattern_options=jsonschema_rs.RegexOptions()
        ).is_valid
        for schema in (first, second)
    ]
    return lambda value: holds[0](value) != holds[1](value)
