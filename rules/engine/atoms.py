"""Cuts a subject's rules into atoms: single keywords about single fields, which together decide all."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jsonschema_rs
import polars as pl

from rules.engine.rule import Schema

_ABOUT_RECORD = frozenset({"properties", "required", "additionalProperties", "type", "$schema", "$comment"})
_BRANCHES = ("if", "then", "else", "not")
_KEYWORDS = frozenset(
    {
        "const",
        "enum",
        "format",
        "pattern",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
    }
)
_SILENT = frozenset({"type", "title", "description", "examples", "default"})
"""Keywords that cannot tell two values of one column apart: a column has one type."""

_ENDS = re.compile(r"\(([^()]*)\)\$")
_LITERALS = re.compile(r"(?:\[[a-z][A-Z]\]|\\\.|[a-z0-9_-])+")
_SAME_IN_BOTH = re.compile(r"(?:[^\\.(]|\\[\\.\-/*?+|()\[\]{}^$tnr]|\\u[0-9a-f]{4}|\((?!\?))*")
"""Regular expressions that read the same in ECMA-262 and in the columns' own dialect."""


class Atom(NamedTuple):
    """One keyword (原子条件) of one field and the value it is given, as canonical JSON."""

    keyword: str
    value: str

    @property
    def schema(self) -> dict[str, Any]:
        """The atom alone, as a schema."""
        return {self.keyword: json.loads(self.value)}

    @property
    def texts(self) -> list[str]:
        """The texts it compares with, where it compares with texts only."""
        named = json.loads(self.value)
        named = {"enum": named, "const": [named]}.get(self.keyword, [])
        return named if all(isinstance(text, str) for text in named) else []

    @property
    def endings(self) -> list[str]:
        """The endings it looks for, each a regular expression, where it asks only how a text ends."""
        ends = _ENDS.fullmatch(json.loads(self.value)) if self.keyword == "pattern" else None
        endings = ends[1].split("|") if ends else []
        return endings if all(_LITERALS.fullmatch(ending) for ending in endings) else []

    def holds(self, values: pl.Expr, kind: Any) -> pl.Expr:
        """Whether it holds, value by value; null where there is none.

        What the columns' own functions are proven to answer as the validator does, they answer; for all
        else the validator is asked once for each value that occurs.

        Args:
            values: Of a column.
            kind: The column's data type.
        """
        value = json.loads(self.value)
        if self.keyword == "pattern" and kind == pl.String and _SAME_IN_BOTH.fullmatch(value):
            return values.str.contains(str(value))
        if self.keyword in ("minLength", "maxLength") and kind == pl.String:
            length = values.str.len_chars()
            return length.ge(value) if self.keyword == "minLength" else length.le(value)
        compare = {"minimum": "ge", "maximum": "le", "exclusiveMinimum": "gt", "exclusiveMaximum": "lt"}
        if self.keyword in compare and kind == pl.Int64 and abs(value) < 2**63:
            held: pl.Expr = getattr(values, compare[self.keyword])(value)
            return held
        return values.map_batches(self._asked, return_dtype=pl.Boolean)

    def _asked(self, series: pl.Series) -> pl.Series:
        accepts = jsonschema_rs.Draft202012Validator(
            self.schema, validate_formats=True, pattern_options=jsonschema_rs.RegexOptions(), offline=True
        ).is_valid
        values = series.drop_nulls().unique()
        if values.is_empty():
            return pl.repeat(None, len(series), dtype=pl.Boolean, eager=True)
        answers = pl.Series([accepts(value) for value in values], dtype=pl.Boolean)
        return series.replace_strict(values, answers, default=None, return_dtype=pl.Boolean)


def atoms(schema: Schema) -> dict[str, list[Atom]]:
    """Every atom of a record's schema by field, each once, in the order of the schema.

    Two records with the same fields present, whose values satisfy the same atoms, get the same findings:
    every other keyword only combines what atoms say.

    Raises:
        ValueError: A keyword looks at the record otherwise than field by field.
    """
    found: dict[str, dict[Atom, None]] = {}
    for field, atom in _of_record(schema):
        found.setdefault(field, {})[atom] = None
    return {field: list(several) for field, several in found.items()}


def _of_record(schema: Schema) -> Iterator[tuple[str, Atom]]:
    if isinstance(schema, bool):
        return
    for inner in _inner(schema):
        yield from _of_record(inner)
    for field, fragment in schema.get("properties", {}).items():
        for atom in _of_field(fragment):
            yield field, atom
    _no_other(schema, _ABOUT_RECORD)


def _of_field(schema: Schema) -> Iterator[Atom]:
    if isinstance(schema, bool):
        return
    for inner in _inner(schema):
        yield from _of_field(inner)
    for keyword in schema.keys() & _KEYWORDS:
        yield Atom(keyword, json.dumps(schema[keyword]))
    _no_other(schema, _KEYWORDS | _SILENT)


def _inner(schema: Mapping[str, Any]) -> list[Schema]:
    several = [*schema.get("allOf", ()), *schema.get("anyOf", ())]
    return several + [schema[key] for key in _BRANCHES if key in schema]


def _no_other(schema: Mapping[str, Any], known: frozenset[str]) -> None:
    others = {key for key in schema if not key.startswith("x-")} - known - {"allOf", "anyOf", *_BRANCHES}
    if others:
        raise ValueError(f"rules with {', '.join(sorted(others))} are not judged by column")
