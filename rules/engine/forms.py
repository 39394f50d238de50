"""Compiles a form file to JSON Schema 2020-12 and to one rule per field and keyword."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rules.engine.model import Basis, Choice
from rules.engine.rule import Rule, Schema
from schemas.texts import Text

_CONTROL = "\\u0000-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069\\ufeff"
_BLANK = " \\u00a0\\u3000"

TEXT_PATTERNS: Mapping[str, str] = {
    "line": f"^[{_BLANK}]*[^{_BLANK}{_CONTROL}][^{_CONTROL}]*$",
    "paragraph": f"^[{_BLANK}\\t\\n\\r]*[^{_BLANK}{_CONTROL}]([^{_CONTROL}]|[\\t\\n\\r])*$",
}
"""Text that is neither blank nor holds control characters; the second allows line breaks."""

NO_CONTROL: Schema = {"pattern": "[\\u0000-\\u001f]"}
"""Python's ``$`` lets a trailing newline pass; refusing control characters makes all validators agree."""

_PIECE = re.compile(r"\[\^?(?:[^\\\]]|\\u[0-9a-fA-F]{4}|\\.)*\]|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL)
_REFUSES_CONTROL = ("\\u0000-\\u001f", "\\u0000-\\u0020")
_MAY_BE_CONTROL = re.compile(r"\\u00[01]|\\[a-tv-zA-Z]|[\x00-\x1f]")

KEYWORDS = (
    "type",
    "enum",
    "format",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
)
"""Keywords that give findings, the most telling first."""


def compile_form(document: Mapping[str, Any], choices: Mapping[str, Sequence[Choice]]) -> dict[str, Any]:
    """The JSON Schema of a form: choices filled in, text kinds as patterns, annotations kept.

    Args:
        document: The form file.
        choices: The rulebook's choices by the name ``x-values-from`` uses.
    """
    schema = {key: value for key, value in document.items() if key not in ("x-basis", "x-in-force-from")}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_object(schema, choices)}


def _object(schema: dict[str, Any], choices: Mapping[str, Sequence[Choice]]) -> dict[str, Any]:
    order = schema.pop("x-order")
    fields = {name: _field(schema["properties"][name], choices) for name in order}
    return {**schema, "properties": fields}


def _field(field: Mapping[str, Any], choices: Mapping[str, Sequence[Choice]]) -> dict[str, Any]:
    compiled = dict(field)
    if "x-values-from" in field:
        compiled["enum"] = [choice.id for choice in choices[field["x-values-from"]]]
        compiled["x-values"] = {
            choice.id: {"zh": choice.title.zh, "en": choice.title.en, "also": list(choice.also)}
            for choice in choices[field["x-values-from"]]
        }
    elif "x-values" in field:
        compiled["x-values"] = {id_: field["x-values"][id_] for id_ in field["enum"]}
    if "x-text" in field:
        compiled["pattern"] = TEXT_PATTERNS[field["x-text"]]
    if "pattern" in compiled and field.get("x-text") != "paragraph":
        compiled["not"] = NO_CONTROL
    if "items" in field:
        compiled["items"] = _field(field["items"], choices)
    if "properties" in field:
        compiled = _object(compiled, choices)
    return compiled


def without_annotations(schema: Any) -> Any:
    """A schema with plain JSON Schema keywords only: what other validators need."""
    if isinstance(schema, list):
        return [without_annotations(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: without_annotations(item) for key, item in schema.items() if not key.startswith("x-")}


def unguarded(schema: Any) -> Any:
    """A schema without :data:`NO_CONTROL` beside patterns that refuse control characters themselves.

    Only for validators whose ``$`` is the end of the text, as ECMA-262 wants it.
    """
    if isinstance(schema, list):
        return [unguarded(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    needless = schema.get("not") == NO_CONTROL and refuses_control(schema.get("pattern", ""))
    return {key: unguarded(item) for key, item in schema.items() if not (key == "not" and needless)}


def refuses_control(pattern: str) -> bool:
    """Whether a pattern evidently matches no text with a control character."""
    found = pieces(pattern)
    for piece in found:
        if piece.startswith("[^"):
            if not any(range_ in piece for range_ in _REFUSES_CONTROL):
                return False
        elif piece == "." or _MAY_BE_CONTROL.search(piece):
            return False
    return found[:1] == ["^"] and found[-1:] == ["$"] and not has_open_alternation(pattern)


def pieces(pattern: str) -> list[str]:
    """A regular expression cut into characters, character groups, escapes and signs."""
    return _PIECE.findall(pattern)


def has_open_alternation(pattern: str) -> bool:
    """Whether ``|`` stands outside brackets, so that ``^`` binds only the first branch and ``$`` the last."""
    depth = 0
    for piece in pieces(pattern):
        depth += (piece == "(") - (piece == ")")
        if piece == "|" and depth == 0:
            return True
    return False


def places(
    schema: Mapping[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every field of a form with its path, e.g. ``("recipients", "items", "name")``, outermost first."""
    for name, field in schema.get("properties", {}).items():
        yield (*path, name), field
        yield from places(field, (*path, name))
    if "items" in schema:
        yield (*path, "items"), schema["items"]
        yield from places(schema["items"], (*path, "items"))


def form_rules(
    form: str, schema: Mapping[str, Any], basis: tuple[Basis, ...], messages: Mapping[str, Any]
) -> Iterator[Rule]:
    """One rule per field and keyword: ``project.title.maxLength``, ``project.title.required``."""
    everywhere = [((), dict(schema)), *places(schema)]
    for path, field in everywhere:
        id_ = ".".join((form, *path))
        title = Text(**field["x-title"])
        for keyword in KEYWORDS:
            if keyword in field:
                yield _rule(f"{id_}.{keyword}", form, _words(messages, field, keyword, title), basis)
        if "properties" in field:
            words = Text(**messages["additionalProperties"]).fill(title=title)
            yield _rule(f"{id_}.additionalProperties", form, words, basis)
            for name, child in field["properties"].items():
                words = _words(messages, child, "required", Text(**child["x-title"]))
                yield _rule(f"{id_}.{name}.required", form, words, basis)


def _rule(id_: str, form: str, message: Text, basis: tuple[Basis, ...]) -> Rule:
    return Rule(id=id_, subject=form, severity="error", message=message, basis=basis)


def _words(messages: Mapping[str, Any], field: Mapping[str, Any], keyword: str, title: Text) -> Text:
    template = messages[keyword]
    if keyword == "type":
        template = template[field["type"]]
    elif keyword == "pattern" and "x-text" in field:
        template = messages["text"]
    values = field.get("x-values", {})
    return Text(**template).fill(
        title=title,
        limit=str(field.get(keyword, "")),
        choices=Text(
            "、".join(value["zh"] for value in values.values()),
            ", ".join(value["en"] for value in values.values()),
        ),
        example=field.get("examples", [""])[0],
        help=Text(**field.get("x-help", {"zh": "", "en": ""})),
    )
