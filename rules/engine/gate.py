"""Compiles a form and its rules into the schema that says yes or no fastest.

Same rules, another shape: instead of asking every rule's ``if`` of every record, the schema branches on the
fields with few values (category, data type, repository …) and keeps in each branch only what is still open
there. It gives no wording; the rules in their own shape do, or those of them that a value leaves open.
"""

from collections import Counter
from typing import Any, NamedTuple

import jsonschema_rs

from rules.engine.forms import unguarded, without_annotations
from rules.engine.rule import Rule, Schema, schema_of


class _Branch(NamedTuple):
    when: Schema
    then: Schema


class _Field(NamedTuple):
    """A field with few values, and whether the form demands it anyway."""

    values: list[Any]
    required: bool


_ABSENT = object()


def gate_schema(form: dict[str, Any], rules: list[Rule]) -> dict[str, Any]:
    """A schema with the same verdict on every record as ``schema_of(form, rules)``.

    Args:
        form: The subject's form.
        rules: All its rules that are JSON Schema.
    """
    tree = _tree([_Branch(rule.when, rule.require) for rule in rules], _fields(form))
    return dict(unguarded(without_annotations({**form, "allOf": [True, *tree]})))


def narrowed(form: dict[str, Any], rules: list[Rule]) -> tuple[str, dict[str, dict[str, Any]]]:
    """The field most rules ask about, and for each of its values what is left of ``schema_of(form, rules)``.

    A rule this value silences is ``true`` there, so that every rule keeps its place and its errors.
    """
    fields = _fields(form)
    asked = Counter(name for rule in rules for name in _asked(rule.when) if name in fields)
    if not asked:
        return "", {}
    name = max(asked, key=lambda field: (asked[field], field))
    whole = without_annotations(schema_of(form, rules))
    return name, {
        value: {
            **whole,
            "allOf": [
                _decided(rule.when, name, value) is False or branch
                for rule, branch in zip(rules, whole["allOf"], strict=True)
            ],
        }
        for value in fields[name].values
        if isinstance(value, str)
    }


def _fields(form: dict[str, Any]) -> dict[str, _Field]:
    return {
        name: _Field(field["enum"], name in form["required"])
        for name, field in form.get("properties", {}).items()
        if "enum" in field
    }


def _tree(branches: list[_Branch], fields: dict[str, _Field]) -> list[Schema]:
    """Schemas that together hold exactly where all branches hold, for records the form accepts."""
    branches = _splice(branches)
    asked = Counter(name for branch in branches for name in _about(branch) if name in fields)
    if not asked:
        return [_plain(branch) for branch in branches]
    name = max(asked, key=lambda field: (asked[field], field))
    about = [branch for branch in branches if name in _about(branch)]
    rest = [branch for branch in branches if name not in _about(branch)]
    others = {other: field for other, field in fields.items() if other != name}
    if len(about) == 1 and about[0].when is not True:
        return [_plain(about[0]), *_tree(rest, fields)]
    groups: dict[str, tuple[list[Any], list[Schema]]] = {}
    for value in fields[name].values:
        known = _tree([_known(branch, name, value) for branch in about], others)
        groups.setdefault(repr(known), ([], known))[0].append(value)
    switch = _switch(name, list(groups.values()))
    if not fields[name].required:
        absent = _all(_tree([_known(branch, name, _ABSENT) for branch in about], others))
        if absent != switch:
            switch = {"if": {"required": [name]}, "then": switch, "else": absent}
    return ([] if switch is True else [switch]) + _tree(rest, fields)


def _splice(branches: list[_Branch]) -> list[_Branch]:
    """Drops branches that never speak and lifts nested if/then out of branches that always do."""
    lifted: list[_Branch] = []
    for when, then in branches:
        if when is False or then is True:
            continue
        if when is True and isinstance(then, dict) and "allOf" in then:
            lifted += _splice([_Branch(inner["if"], inner["then"]) for inner in then["allOf"]])
            then = {key: value for key, value in then.items() if key != "allOf"} or True
        if then is not True:
            lifted.append(_Branch(when, then))
    return lifted


def _about(branch: _Branch) -> set[str]:
    """Fields whose value would decide this branch, or part of it."""
    if branch.when is True and isinstance(branch.then, dict):
        return {*branch.then.get("properties", {})}
    return _asked(branch.when)


def _asked(when: Schema) -> set[str]:
    """Fields a condition asks about where this module can decide it."""
    if not isinstance(when, dict):
        return set()
    names = {*when.get("properties", {}), *when.get("required", [])}
    for inner in (*when.get("anyOf", []), when.get("not", True)):
        names |= _asked(inner)
    return names


def _known(branch: _Branch, name: str, value: Any) -> _Branch:
    """The branch for records whose field has this value, or is absent."""
    when = _decided(branch.when, name, value)
    return _Branch(when, when and _decided(branch.then, name, value))


def _decided(schema: Schema, name: str, value: Any) -> Schema:
    """A schema with everything about one field decided: true, false, or what is still open."""
    if isinstance(schema, bool):
        return schema
    if value is _ABSENT:
        if name in schema.get("required", []):
            return False
    elif not _accepts(schema.get("properties", {}).get(name, True), value):
        return False
    open_ = {
        key: content
        for key, content in schema.items()
        if key not in ("properties", "required", "anyOf", "not")
    }
    properties = {field: content for field, content in schema.get("properties", {}).items() if field != name}
    required = [field for field in schema.get("required", []) if field != name]
    decided = {
        "properties": properties or True,
        "required": required or True,
        "anyOf": _any(schema.get("anyOf", [True]), name, value),
        "not": _not(schema.get("not", False), name, value),
    }
    if False in decided.values():
        return False
    return {**open_, **{key: content for key, content in decided.items() if content is not True}} or True


def _accepts(schema: Schema, value: Any) -> bool:
    if isinstance(schema, bool):
        return schema
    if isinstance(value, str) and schema.keys() <= {"const", "enum"}:
        return value == schema.get("const", value) and value in schema.get("enum", [value])
    return bool(jsonschema_rs.Draft202012Validator(schema).is_valid(value))


def _any(branches: list[Schema], name: str, value: Any) -> Any:
    decided = [_decided(branch, name, value) for branch in branches]
    if True in decided:
        return True
    return [branch for branch in decided if branch is not False] or False


def _not(inner: Schema, name: str, value: Any) -> Schema:
    """What is left of ``not`` after deciding: true where nothing is, false where it cannot hold."""
    decided = _decided(inner, name, value)
    return not decided if isinstance(decided, bool) else decided


def _plain(branch: _Branch) -> Schema:
    return branch.then if branch.when is True else {"if": branch.when, "then": branch.then}


def _switch(name: str, groups: list[tuple[list[Any], list[Schema]]]) -> Schema:
    """Halves the groups until one is left, so that n values need log n questions.

    The form has made sure that the value is one of them.
    """
    if len(groups) == 1:
        return _all(groups[0][1])
    half = len(groups) // 2
    first = [value for values, _ in groups[:half] for value in values]
    return {
        "if": {"properties": {name: {"enum": first}}},
        "then": _switch(name, groups[:half]),
        "else": _switch(name, groups[half:]),
    }


def _all(schemas: list[Schema]) -> Schema:
    return schemas[0] if len(schemas) == 1 else {"allOf": schemas} if schemas else True
