"""Compiles a form and its rules into the schema that says yes or no fastest.

Same rules, another shape: instead of asking every rule's ``if`` of every record, the schema branches on the
fields with few values (category, data type, repository …) and keeps in each branch only what is still open
there. It gives no wording; the rules in their own shape do.
"""

from collections import Counter
from typing import Any, NamedTuple

import jsonschema_rs

from rules.engine.rule import Rule, Schema


class _Branch(NamedTuple):
    when: Schema
    then: Schema


_UNKNOWN = object()


def gate_schema(form: dict[str, Any], rules: list[Rule]) -> dict[str, Any]:
    """A schema with the same verdict on every record as ``schema_of(form, rules)``.

    Args:
        form: The subject's form.
        rules: All its rules that are JSON Schema.
    """
    branches = [_Branch(rule.when, rule.require) for rule in rules]
    values = {
        name: [value for value in field["enum"]]
        for name, field in form.get("properties", {}).items()
        if "enum" in field
    }
    bare = {key: value for key, value in form.items() if not key.startswith("x-")}
    if "properties" in bare:
        bare["properties"] = {name: _bare(field) for name, field in bare["properties"].items()}
    tree = _tree(branches, values)
    return {**bare, "allOf": tree} if tree else bare


def _bare(field: Any) -> Any:
    """A field without annotations, and without the guard for Python's ``$``, which this validator does not need."""
    if not isinstance(field, dict):
        return field
    guarded = "pattern" in field
    kept = {k: v for k, v in field.items() if not k.startswith("x-") and not (guarded and k == "not")}
    for key in ("items", "not"):
        if key in kept:
            kept[key] = _bare(kept[key])
    if "properties" in kept:
        kept["properties"] = {name: _bare(child) for name, child in kept["properties"].items()}
    return kept


def _tree(branches: list[_Branch], values: dict[str, list[Any]]) -> list[Schema]:
    """Schemas that together hold exactly where all branches hold."""
    branches = _splice(branches)
    asked = Counter(name for branch in branches for name in _asked(branch.when) if name in values)
    if not asked:
        return [_plain(branch) for branch in branches if branch.then is not True]
    name = max(asked, key=lambda field: (asked[field], field))
    about = [branch for branch in branches if name in _asked(branch.when)]
    rest = [branch for branch in branches if name not in _asked(branch.when)]
    if asked[name] < 2:
        return [_plain(about[0]), *_tree(rest, values)]
    left = {field: choices for field, choices in values.items() if field != name}
    groups: dict[str, tuple[list[Any], list[Schema]]] = {}
    for value in values[name]:
        known = _tree([_known(branch, name, value) for branch in about], left)
        groups.setdefault(repr(known), ([], known))[0].append(value)
    otherwise = _tree([_known(branch, name, _UNKNOWN) for branch in about], left)
    switch = _switch(name, list(groups.values()), otherwise)
    return [switch, *_tree(rest, values)] if switch is not True else _tree(rest, values)


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


def _asked(when: Schema) -> set[str]:
    """Fields a condition asks about where this module can decide it."""
    if not isinstance(when, dict):
        return set()
    names = {*when.get("properties", {}), *when.get("required", [])}
    for inner in (*when.get("anyOf", []), when.get("not", True)):
        names |= _asked(inner)
    return names


def _known(branch: _Branch, name: str, value: Any) -> _Branch:
    """The branch for records whose field has this value, or has none or no listed one."""
    then = branch.then
    if value is not _UNKNOWN and isinstance(then, dict) and name in then.get("properties", {}):
        then = _decided(then, name, value)
    return _Branch(_decided(branch.when, name, value), then)


def _decided(schema: Schema, name: str, value: Any) -> Schema:
    """A schema with everything about one field decided: true, false, or what is still open."""
    if isinstance(schema, bool):
        return schema
    open_ = dict(schema)
    properties = dict(open_.pop("properties", {}))
    about = properties.pop(name, True)
    required = [field for field in open_.pop("required", []) if field != name]
    if value is _UNKNOWN:
        if name in schema.get("required", []):
            return False
    elif not jsonschema_rs.Draft202012Validator(about).is_valid(value):
        return False
    if properties:
        open_["properties"] = properties
    if required:
        open_["required"] = required
    for key, combine in (("anyOf", _any), ("not", _not)):
        if key in open_:
            decided = combine(open_.pop(key), name, value)
            if decided is False:
                return False
            if decided is not True:
                open_[key] = decided
    return open_ or True


def _any(branches: list[Schema], name: str, value: Any) -> Any:
    decided = [_decided(branch, name, value) for branch in branches]
    if True in decided:
        return True
    return [branch for branch in decided if branch is not False] or False


def _not(inner: Schema, name: str, value: Any) -> Schema:
    decided = _decided(inner, name, value)
    return not decided if isinstance(decided, bool) else decided


def _plain(branch: _Branch) -> Schema:
    then = _bare(branch.then)
    return then if branch.when is True else {"if": branch.when, "then": then}


def _switch(name: str, groups: list[tuple[list[Any], list[Schema]]], otherwise: list[Schema]) -> Schema:
    """Halves the groups until one is left, so that n values need log n questions."""
    if all(known == otherwise for _, known in groups):
        return {"allOf": otherwise} if otherwise else True
    if len(groups) == 1:
        values, known = groups[0]
        branch: dict[str, Any] = {"if": _one_of(name, values), "then": _all(known)}
        return {**branch, "else": _all(otherwise)} if otherwise else branch
    half = len(groups) // 2
    first = [value for values, _ in groups[:half] for value in values]
    return {
        "if": _one_of(name, first),
        "then": _switch(name, groups[:half], otherwise),
        "else": _switch(name, groups[half:], otherwise),
    }


def _one_of(name: str, values: list[Any]) -> dict[str, Any]:
    return {"properties": {name: {"enum": values}}, "required": [name]}


def _all(schemas: list[Schema]) -> Schema:
    return schemas[0] if len(schemas) == 1 else {"allOf": schemas} if schemas else True
