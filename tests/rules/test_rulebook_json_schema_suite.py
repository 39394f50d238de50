"""The official JSON-Schema-Test-Suite, draft 2020-12, against the validators the engine builds.

It is read from beside the repository, as ``shared/data/json-schema-test-suite``.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from rules.engine.judge import validator
from rules.engine.release import Release

HERE = Path(__file__).parent
SUITE = HERE.parents[2] / "shared/data/json-schema-test-suite/tests/draft2020-12"
FORBIDDEN: dict[str, str] = json.loads((HERE / "forbidden-keywords.json").read_text("utf-8"))
DIALECT = "https://json-schema.org/draft/2020-12/schema"

ALLOWED = frozenset(
    [
        "$comment",
        "$id",
        "additionalProperties",
        "allOf",
        "anyOf",
        "const",
        "contains",
        "default",
        "description",
        "else",
        "enum",
        "examples",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "if",
        "items",
        "maxItems",
        "maxLength",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "not",
        "pattern",
        "properties",
        "required",
        "then",
        "title",
        "type",
        "uniqueItems",
    ]
)
"""What compiled rules are made of; authors write less."""
NAMED = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})
LISTED = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
NESTED = frozenset(
    [
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    ]
)

pytestmark = pytest.mark.skipif(
    not SUITE.is_dir(),
    reason="NOT RUN: the JSON-Schema-Test-Suite is not beside the repository; "
    "put it at ../shared/data/json-schema-test-suite",
)


class Group(NamedTuple):
    file: str
    content: dict[str, Any]

    @property
    def forbidden(self) -> set[str]:
        """Words of the schema that the dialect does not have."""
        strange = {*used(self.content["schema"])} - ALLOWED
        words = {word if word in FORBIDDEN else "unknown keyword" for word in strange}
        return words | ({"format as annotation"} if self.file == "format.json" else set())


def groups() -> list[Group]:
    return [
        Group(path.relative_to(SUITE).as_posix(), content)
        for path in sorted(SUITE.rglob("*.json"))
        for content in json.loads(path.read_text("utf-8"))
    ]


def used(schema: Any) -> Iterator[str]:
    """Keywords of a schema, wherever a schema can stand."""
    for word, value in schema.items() if isinstance(schema, dict) else ():
        if word != "$schema" or value != DIALECT:
            yield word
        several = value.values() if word in NAMED else value if word in LISTED else []
        inner = [value] if word in NESTED else several
        for item in inner:
            yield from used(item)


def test_whatever_the_dialect_allows_is_judged_as_the_standard_wants() -> None:
    judged, wrong = 0, []
    for group in groups():
        if group.forbidden:
            continue
        accepts = validator(group.content["schema"]).is_valid
        for test in group.content["tests"]:
            judged += 1
            if accepts(test["data"]) != test["valid"]:
                wrong.append((group.file, group.content["description"], test["description"]))
    assert wrong == []
    assert judged > 1_000


def test_nothing_is_left_out_but_what_the_list_forbids_and_the_list_is_exact() -> None:
    left_out = {word for group in groups() for word in group.forbidden}
    assert left_out == FORBIDDEN.keys()
    assert not FORBIDDEN.keys() & ALLOWED


def test_the_engine_compiles_to_no_other_keyword(release: Release) -> None:
    for subject in release.subjects:
        assert {*used(release.json_schema(subject))} <= ALLOWED
