"""Checks the requirements: each makes one decision, about fields and values that exist."""

from collections.abc import Iterator, Mapping
from typing import Any

from rules.engine.faults import Fault
from rules.engine.references import Sources, folder, known
from rules.engine.source import Path_, Source
from schemas.texts import Text

SUMS = ("rows", "unreadable_rows", "categories", "repositories", "in_transit", "errors")
"""Fields of the subject ``manifest``: the sums of one list."""

COMPARISONS = ("steps", "undeclared_categories", "categories_without_files", "in_transit")
"""Fields of the subject ``submission``."""

_FIELD = Text("字段", "field")


def check_requirements(sources: Sources) -> Iterator[Fault]:
    """Faults of all files in ``requirements``."""
    forms = {name: source.data["properties"] for name, source in folder(sources, "forms")}
    fields: Mapping[str, Any] = {
        **forms,
        "manifest": {name: {} for name in SUMS},
        "submission": {name: {} for name in COMPARISONS},
    }
    choices = _choices(sources)
    first: dict[str, str] = {}
    for _, source in folder(sources, "requirements"):
        for i, rule in enumerate(source.data["rules"]):
            path: Path_ = ("rules", i)
            subject = Text("判断对象", "subject")
            yield from known(source, (*path, "subject"), rule["subject"], fields, subject)
            yield from _one_decision(source, path, rule, first)
            if rule["subject"] in fields:
                yield from _fields_of(source, path, rule, fields[rule["subject"]], choices)


def _one_decision(
    source: Source, path: Path_, rule: Mapping[str, Any], first: dict[str, str]
) -> Iterator[Fault]:
    if rule["id"] in first:
        yield source.fault(
            (*path, "id"),
            Text(
                f"规则名“{rule['id']}”已在 {first[rule['id']]} 用过。",
                f"The id “{rule['id']}” is used in {first[rule['id']]} already.",
            ),
            Text("校验结果靠规则名找到规则。", "Findings find their rule by its id."),
            Text("请换一个名字。", "Choose another."),
        )
    first.setdefault(rule["id"], source.file)
    if sum(key in rule for key in ("require", "order", "unique")) != 1:
        yield source.fault(
            path,
            Text("应写 require、order、unique 中的一个。", "State exactly one of require, order and unique."),
            Text("一条规则只作一个判断。", "A rule makes one decision."),
            Text("请补上，或拆成几条。", "Add it, or split the rule."),
        )


def _fields_of(
    source: Source,
    path: Path_,
    rule: Mapping[str, Any],
    fields: Mapping[str, Any],
    choices: Mapping[str, list[str]],
) -> Iterator[Fault]:
    """A rule speaks of fields its subject has, and of values those fields can have."""
    for i, name in enumerate(rule.get("order", [])):
        yield from known(source, (*path, "order", i), name, fields, _FIELD)
    if "unique" in rule:
        yield from known(source, (*path, "unique"), rule["unique"], fields, _FIELD)
    for part in ("when", "require"):
        for where, content in _fragments(rule.get(part), (*path, part)):
            for i, name in enumerate(content.get("required", [])):
                yield from known(source, (*where, "required", i), name, fields, _FIELD)
            for name, fragment in content.get("properties", {}).items():
                place = (*where, "properties", name)
                yield from known(source, place, name, fields, _FIELD)
                possible = _possible(fields.get(name, {}), choices)
                for value in _values(fragment) if possible else ():
                    yield from known(source, place, value, possible, Text("可选值", "choice"))


def _fragments(fragment: Any, path: Path_) -> Iterator[tuple[Path_, Mapping[str, Any]]]:
    """A fragment and its negation, both speaking of the record itself."""
    if isinstance(fragment, dict):
        yield path, fragment
        yield from _fragments(fragment.get("not"), (*path, "not"))


def _choices(sources: Sources) -> dict[str, list[str]]:
    """The ids a field may have by the name its ``x-values-from`` uses."""
    scope = [*sources["categories/out-of-scope"].data["kinds"]]
    return {
        "categories": [*(id_ for id_, _ in folder(sources, "categories")), *scope],
        "data_types": [entry["id"] for entry in sources["data-types"].data["data_types"]],
        "repositories": [id_ for id_, _ in folder(sources, "repositories")],
    }


def _possible(field: Mapping[str, Any], choices: Mapping[str, list[str]]) -> list[str]:
    field = field.get("items", field)
    return [*field.get("x-values", ()), *choices.get(field.get("x-values-from", ""), ())]


def _values(fragment: Any) -> Iterator[str]:
    """Every value a fragment compares with, also inside lists and negations."""
    if isinstance(fragment, dict):
        yield from map(str, fragment.get("enum", ()))
        if "const" in fragment:
            yield str(fragment["const"])
        for key in ("not", "items", "contains"):
            yield from _values(fragment.get(key))
