"""The least a program does with a file list, written again in the languages of other rule engines.

They check what the look-up in plain Python checks (`benchmarks.engine_records.hand_written`), no more.
"""

import json
from collections.abc import Callable, Mapping
from functools import reduce
from importlib import import_module
from operator import or_
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Discriminator, StringConstraints, Tag, TypeAdapter, ValidationError, create_model

from rules.engine.release import Release

Accepts = Callable[[Any], bool]

NAME = "^[^ /]{1,200}$"
MD5 = "^[0-9a-f]{32}$"


class Way(NamedTuple):
    """One repository and data type: which categories go there, in which formats, under what numbers."""

    repository: str
    data_type: str
    categories: list[str]
    formats: list[str]
    number: str


def ways(release: Release) -> list[Way]:
    """All of a release."""
    found: dict[tuple[str, str], list[str]] = {}
    for cell in release.cells:
        for repository in cell.repositories:
            found.setdefault((repository, cell.data_type), []).append(cell.category)
    return [
        Way(
            repository,
            data_type,
            sorted({*categories}),
            sorted(release.repositories[repository].formats[data_type]),
            release.repositories[repository].identifiers["accession"].pattern.replace("\\.", "[.]"),
        )
        for (repository, data_type), categories in found.items()
    ]


def by_pydantic(release: Release) -> Accepts:
    """A model for each way, told apart by repository and data type."""
    models: list[Any] = []
    for way in ways(release):
        fields: dict[str, Any] = {
            "category": (Literal[tuple(way.categories)], ...),
            "file_format": (Literal[tuple(way.formats)] | None, None),
            "file_name": (Annotated[str, StringConstraints(pattern=NAME)], ...),
            "md5": (Annotated[str, StringConstraints(pattern=MD5)], ...),
            "accession": (Annotated[str, StringConstraints(pattern=way.number)], ...),
        }
        tagged = Tag(f"{way.repository} {way.data_type}")
        models.append(Annotated[create_model("DataFile", **fields), tagged])
    union: Any = reduce(or_, models)

    def tag(record: Mapping[str, Any]) -> str:
        return f"{record.get('repository')} {record.get('data_type')}"

    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[union, Discriminator(tag)])
    validate = adapter.validate_python

    def accepts(record: Any) -> bool:
        try:
            validate(record)
        except ValidationError:
            return False
        return True

    return accepts


def by_zen(release: Release) -> Accepts:
    """A decision table with a row for each way."""
    fields = ("repository", "data_type", "category", "file_format", "file_name", "md5", "accession")
    table = {
        "hitPolicy": "first",
        "inputs": [{"id": field, "name": field, "field": field} for field in fields],
        "outputs": [{"id": "right", "name": "right", "field": "right"}],
        "rules": [
            {
                "_id": str(number),
                "repository": json.dumps(way.repository),
                "data_type": json.dumps(way.data_type),
                "category": ", ".join(map(json.dumps, way.categories)),
                "file_format": f"$ == null or $ in {json.dumps(way.formats)}",
                "file_name": f'matches($, "{NAME}")',
                "md5": f'matches($, "{MD5}")',
                "accession": f'matches($, "{way.number}")',
                "right": "true",
            }
            for number, way in enumerate(ways(release))
        ],
    }
    kinds = {"in": "inputNode", "table": "decisionTableNode", "out": "outputNode"}
    nodes = [
        {"id": id_, "name": id_, "type": kind, "position": {"x": 0, "y": 0}} for id_, kind in kinds.items()
    ]
    nodes[1]["content"] = table
    edges = [
        {"id": f"{source}-{target}", "type": "edge", "sourceId": source, "targetId": target}
        for source, target in (("in", "table"), ("table", "out"))
    ]
    decision = import_module("zen").ZenEngine().create_decision(json.dumps({"nodes": nodes, "edges": edges}))

    def accepts(record: Any) -> bool:
        return bool((decision.evaluate(record)["result"] or {}).get("right"))

    return accepts


def by_cel(release: Release) -> Accepts:
    """One expression: an alternative for each way."""
    alternatives = [
        f"(r.repository == {json.dumps(way.repository)} && r.data_type == {json.dumps(way.data_type)}"
        f" && r.category in {json.dumps(way.categories)}"
        f" && (!has(r.file_format) || r.file_format in {json.dumps(way.formats)})"
        f" && r.accession.matches({json.dumps(way.number)}))"
        for way in ways(release)
    ]
    present = " && ".join(f"has(r.{name})" for name in ("file_name", "md5", "accession"))
    forms = f"r.file_name.matches({json.dumps(NAME)}) && r.md5.matches({json.dumps(MD5)})"
    execute = import_module("cel").compile(f"{present} && {forms} && ({' || '.join(alternatives)})").execute

    def accepts(record: Any) -> bool:
        return execute({"r": record}) is True

    return accepts
