"""Compiles categories and repositories to rules, one decision each.

The order of questions is held by each rule's ``when``: is it in scope, has the category this data type,
does this repository take it, and only then: does the number and the format look as there.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rules.engine.forms import NO_CONTROL, places
from rules.engine.model import Category, Cell, OutOfScope, Repository
from rules.engine.rule import Rule, Schema
from schemas.texts import Text

ROW_FIELDS = frozenset({"file_name", "category", "data_type", "repository", "file_format"})
"""A form with these fields describes a data file: the matrix applies to it."""


def cells(categories: Mapping[str, Category]) -> Iterator[Cell]:
    """Every cell of the matrix."""
    for category, content in categories.items():
        for data_type, entry in content.data_types.items():
            if entry.repositories:
                yield Cell(category, data_type, None, entry.title, entry.repositories)
            for field, kinds in entry.repositories_by.items():
                for kind, repositories in kinds.items():
                    yield Cell(category, data_type, (field, kind), entry.title, repositories)


def scope_rules(form: str, schema: Mapping[str, Any], scope: OutOfScope) -> Iterator[Rule]:
    """``out-of-scope.clinical``: data that is no HGR information, wherever a form asks for a category."""
    for path, field in places(schema):
        if field.get("x-values-from") == "categories":
            for kind, entry in scope.kinds.items():
                require: Schema = {"not": {"const": kind}}
                for name in reversed(path):
                    require = {"items": require} if name == "items" else {"properties": {name: require}}
                yield Rule(
                    id=f"out-of-scope.{kind}",
                    subject=form,
                    severity="error",
                    message=entry.message,
                    basis=scope.basis,
                    require=require,
                    decision=scope.decision,
                )


def matrix_rules(
    form: str,
    schema: Mapping[str, Any],
    categories: Mapping[str, Category],
    repositories: Mapping[str, Repository],
    messages: Mapping[str, Text],
) -> Iterator[Rule]:
    """All rules of category × data type × repository for one form of data files."""
    for name, category in categories.items():
        yield from _data_type_rules(form, schema, name, category, messages)
    for cell in cells(categories):
        kind = {cell.kind[0]: cell.kind[1]} if cell.kind else {}
        yield Rule(
            id=".".join((cell.category, cell.data_type, *kind.values(), "repository")),
            subject=form,
            severity="error",
            message=messages["repository"].fill(
                data_type=cell.title,
                repositories=_names(repositories[id_] for id_ in cell.repositories),
                contacts=_contacts(repositories[id_] for id_ in cell.repositories),
            ),
            basis=categories[cell.category].basis + repositories[cell.repositories[0]].basis,
            when=_holds(category=cell.category, data_type=cell.data_type, **kind),
            require={"properties": {"repository": {"enum": list(cell.repositories)}}},
            decision=categories[cell.category].data_types[cell.data_type].decision,
        )
    for name, repository in repositories.items():
        yield from _repository_rules(form, schema, name, repository, list(cells(categories)), messages)


def _data_type_rules(
    form: str, schema: Mapping[str, Any], name: str, category: Category, messages: Mapping[str, Text]
) -> Iterator[Rule]:
    data_types = [id_ for id_ in schema["properties"]["data_type"]["enum"] if id_ in category.data_types]
    yield Rule(
        id=f"{name}.data-type",
        subject=form,
        severity="error",
        message=messages["data_type"].fill(
            category=category.title, data_types=_list(category.data_types[id_].title for id_ in data_types)
        ),
        basis=category.basis,
        when=_holds(category=name),
        require={"properties": {"data_type": {"enum": data_types}}},
        decision=category.decision,
    )
    for data_type, entry in category.data_types.items():
        for field in entry.repositories_by:
            question = schema["properties"][field]
            yield Rule(
                id=f"{name}.{data_type}.kind",
                subject=form,
                severity="error",
                message=messages["kind"].fill(
                    data_type=entry.title,
                    field=Text(**question["x-title"]),
                    choices=_list(Text(value["zh"], value["en"]) for value in question["x-values"].values()),
                ),
                basis=category.basis,
                when=_holds(category=name, data_type=data_type),
                require={"required": [field]},
            )


def _repository_rules(
    form: str,
    schema: Mapping[str, Any],
    name: str,
    repository: Repository,
    all_cells: list[Cell],
    messages: Mapping[str, Text],
) -> Iterator[Rule]:
    mine = [cell for cell in all_cells if name in cell.repositories]
    for field, identifier in repository.identifiers.items():
        if mine and field in schema["properties"]:
            yield Rule(
                id=f"{name}.{field}",
                subject=form,
                severity="error",
                message=messages["identifier"].fill(
                    repository=repository.name,
                    identifier=identifier.title,
                    example=identifier.examples[0],
                    contacts=_contacts([repository]),
                ),
                basis=repository.basis,
                when=_taken(name, mine),
                require={"properties": {field: {"pattern": identifier.pattern, "not": NO_CONTROL}}},
                decision=identifier.decision,
            )
    for data_type, formats in repository.formats.items():
        taken = [cell for cell in mine if cell.data_type == data_type]
        yield Rule(
            id=f"{name}.{data_type}.format",
            subject=form,
            severity="error",
            message=messages["format"].fill(
                repository=repository.name,
                data_type=taken[0].title if len(taken) == 1 else _general(schema, data_type),
                formats=_formats(formats),
            ),
            basis=repository.basis,
            when=_taken(name, taken),
            require=_fits(formats),
            decision=repository.decision,
        )


def _holds(**values: str) -> dict[str, Any]:
    """The fields are there and have these values."""
    return {
        "properties": {field: {"const": value} for field, value in values.items()},
        "required": list(values),
    }


def _taken(repository: str, taken: list[Cell]) -> dict[str, Any]:
    """The row names this repository, and the matrix says it takes that data."""
    groups: dict[tuple[str, tuple[str, str] | None], list[str]] = defaultdict(list)
    for cell in taken:
        groups[cell.data_type, cell.kind].append(cell.category)
    branches = []
    for (data_type, kind), categories in groups.items():
        branch = _holds(data_type=data_type, **({kind[0]: kind[1]} if kind else {}))
        branch["properties"]["category"] = {"enum": categories}
        branch["required"].append("category")
        branches.append(branch)
    return {**_holds(repository=repository), "anyOf": branches}


def _fits(formats: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """The format is one of these and the name ends as the format wants; without a format, as any of them."""
    by_format = [
        {
            "if": _holds(file_format=name),
            "then": {"properties": {"file_name": {"pattern": suffix_pattern(suffixes)}}},
        }
        for name, suffixes in formats.items()
    ]
    every = tuple(suffix for suffixes in formats.values() for suffix in suffixes)
    unnamed = {
        "if": {"not": {"required": ["file_format"]}},
        "then": {"properties": {"file_name": {"pattern": suffix_pattern(every)}}},
    }
    return {"properties": {"file_format": {"enum": list(formats)}}, "allOf": [*by_format, unnamed]}


def suffix_pattern(suffixes: Iterable[str]) -> str:
    """A pattern that a file name with one of these suffixes matches, in upper or lower case."""
    spelt = sorted(
        "".join(f"[{c}{c.upper()}]" if c.isalpha() else f"\\{c}" if c == "." else c for c in suffix)
        for suffix in set(suffixes)
    )
    return f"({'|'.join(spelt)})$"


def _general(schema: Mapping[str, Any], data_type: str) -> Text:
    value = schema["properties"]["data_type"]["x-values"][data_type]
    return Text(value["zh"], value["en"])


def _names(repositories: Iterable[Repository]) -> Text:
    found = list(repositories)
    return Text(
        " 或 ".join(f"{r.name}（{r.title.zh}）" for r in found),
        " or ".join(f"{r.name} ({r.title.en})" for r in found),
    )


def _contacts(repositories: Iterable[Repository]) -> Text:
    contacts = [repository.contacts for repository in repositories]
    return Text(
        "；".join(f"邮箱 {c.email}，QQ 群 {c.qq_group}" for c in contacts),
        "; ".join(f"mail {c.email}, QQ group {c.qq_group}" for c in contacts),
    )


def _list(texts: Iterable[Text]) -> Text:
    found = list(texts)
    return Text("、".join(text.zh for text in found), ", ".join(text.en for text in found))


def _formats(formats: Mapping[str, tuple[str, ...]]) -> Text:
    return Text(
        "；".join(f"{name}（{'、'.join(suffixes)}）" for name, suffixes in formats.items()),
        "; ".join(f"{name} ({', '.join(suffixes)})" for name, suffixes in formats.items()),
    )
