"""Small changes of a schema fragment, each one slip: a limit one off, a value less, a pattern wider."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rules.engine.rule import Schema

_BOUNDS = frozenset({
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "minLength", "maxLength", "minItems", "maxItems",
})  # fmt: skip
_INNER = ("not", "items", "contains")
_DROPPED = ("uniqueItems", "format")

_REPEAT = re.compile(r"\{([0-9]+)(,[0-9]*)?\}")
_ALTERNATIVES = re.compile(r"\(([^()]*)\)\$?$")

Choices = Mapping[str, Sequence[Any]]


def edits(schema: Schema, choices: Choices, field: str = "") -> Iterator[tuple[str, Schema]]:
    """Every small change of a fragment.

    Args:
        schema: The fragment.
        choices: What values a field can have, by its name.
        field: The field the fragment is about.

    Yields:
        What was changed, and the changed fragment.
    """
    if isinstance(schema, bool):
        return
    for key, value in schema.items():
        for what, changed in _changes(key, value, choices, field):
            rest = {name: content for name, content in schema.items() if name != key}
            yield what, ({**rest, key: changed} if changed is not None else rest) or True


def _changes(key: str, value: Any, choices: Choices, field: str) -> Iterator[tuple[str, Any]]:
    """Changes of one keyword; None drops it."""
    if key in _DROPPED:
        yield f"{key} —", None
    elif key in ("enum", "const", *_BOUNDS):
        yield from _values(key, value, choices.get(field, []))
    elif key == "required":
        yield from (
            (f"required {name} —", [other for other in value if other != name] or None) for name in value
        )
    elif key == "properties":
        yield from _properties(value, choices)
    elif key == "pattern":
        yield from pattern_edits(value)
    elif key in _INNER:
        yield f"{key} —", None
        for what, inner in edits(value, choices, field):
            yield f"{key}: {what}", inner
    elif key == "allOf":
        yield from _branches(value, choices)


def _values(key: str, value: Any, choices: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """A limit one off, a choice more or less, another constant."""
    if key == "enum":
        for one in value if len(value) > 1 else ():
            yield f"enum without {one}", [other for other in value if other != one]
        yield from ((f"enum with {other}", [*value, other]) for other in choices if other not in value)
        return
    others = choices if key == "const" else [other for other in (value - 1, value + 1) if other >= 0]
    if isinstance(value, bool):
        others = [not value]
    yield from ((f"{key} {value} → {other}", other) for other in others if other != value)


def _properties(fields: Mapping[str, Schema], choices: Choices) -> Iterator[tuple[str, Any]]:
    for name, inner in fields.items():
        others = {other: content for other, content in fields.items() if other != name}
        yield f"{name} —", others or None
        for what, changed in edits(inner, choices, name):
            yield f"{name}: {what}", {**others, name: changed}


def _branches(branches: Sequence[Mapping[str, Any]], choices: Choices) -> Iterator[tuple[str, Any]]:
    """What is demanded in one of several if/then."""
    for i, branch in enumerate(branches):
        for what, then in edits(branch["then"], choices):
            name = ".".join(str(value["const"]) for value in branch["if"].get("properties", {}).values())
            yield f"{name or 'else'}: {what}", [*branches[:i], {**branch, "then": then}, *branches[i + 1 :]]


def pattern_edits(pattern: str) -> Iterator[tuple[str, str]]:
    """Patterns that differ by a common slip."""
    found = {
        "pattern without ^": pattern.removeprefix("^"),
        "pattern without $": pattern.removesuffix("$"),
        "pattern with letters": pattern.replace("[0-9]", "[0-9A-Za-z]", 1),
        "pattern with lower case": pattern.replace("[A-Z]", "[A-Za-z]", 1),
        "pattern without ?": pattern.replace(")?", ")", 1),
    }
    for repeat in _REPEAT.finditer(pattern):
        count, more = int(repeat[1]), repeat[2] or ""
        for other in (count - 1, count + 1):
            text = f"{pattern[: repeat.start()]}{{{other}{more}}}{pattern[repeat.end() :]}"
            found[f"pattern {{{count}{more}}} → {{{other}{more}}} at {repeat.start()}"] = text
    if (listed := _ALTERNATIVES.search(pattern)) and "|" in listed[1]:
        parts = listed[1].split("|")
        for part in parts:
            rest = "|".join(other for other in parts if other != part)
            found[f"pattern without {_spelt(part)}"] = (
                pattern[: listed.start(1)] + rest + pattern[listed.end(1) :]
            )
    yield from ((what, text) for what, text in found.items() if text != pattern)


def _spelt(part: str) -> str:
    """A suffix as people write it: ``[bB][aA][mM]`` is ``bam``."""
    return re.sub(r"\[(.)[^\]]\]", r"\1", part).replace("\\", "")
