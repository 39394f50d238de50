"""Checks that forms are bounded, spellings unambiguous, and messages complete."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rules.engine.dialect import nearest
from rules.engine.faults import Fault
from rules.engine.forms import places
from rules.engine.normalise import folded
from rules.engine.references import Sources, folder, known
from rules.engine.source import Path_, Source
from schemas.texts import Text

_LIMITS = {
    "string": ("maxLength", "x-values", "x-values-from", "format"),
    "integer": ("maximum",),
    "array": ("maxItems",),
}
_KINDS_OF_TEXT = ("x-text", "pattern", "x-values", "x-values-from", "format")

_WORDS = {
    "form": {"title", "limit", "choices", "example", "help"},
    "matrix": {
        "category",
        "data_type",
        "data_types",
        "field",
        "choices",
        "repositories",
        "contacts",
        "repository",
        "identifier",
        "example",
        "formats",
    },
    "procedure": {"step"},
}
"""The words in braces each part of messages.yaml may use."""


def check_completeness(sources: Sources) -> Iterator[Fault]:
    """Faults of forms, of spellings anywhere, and of messages."""
    for _, source in folder(sources, "forms"):
        for path, field in [((), source.data), *_places(source.data)]:
            yield from _field(source, path, field)
        properties = source.data["properties"]
        yield from _unambiguous(
            source, ("properties",), {n: (n, *f.get("x-columns", ())) for n, f in properties.items()}
        )
    for name in ("categories", "repositories"):
        yield from _aliases(folder(sources, name))
    yield from _messages(sources["messages"], sources["messages"].data, ())


def _field(source: Source, path: Path_, field: Mapping[str, Any]) -> Iterator[Fault]:
    """Fields named as required exist, and every value has a limit and a kind."""
    for i, name in enumerate(field.get("required", [])):
        yield from known(source, (*path, "required", i), name, field["properties"], Text("字段", "field"))
    kind = field["type"]
    limits = _LIMITS.get(kind, ())
    if limits and not any(key in field for key in limits):
        yield source.fault(
            path,
            Text(f"没有上限：缺少 {limits[0]}。", f"It has no limit: {limits[0]} is missing."),
            Text("没有上限的字段会把表单撑爆。", "A field without a limit lets a form grow without bound."),
            Text("请写明上限。", "State the limit."),
        )
    if kind == "string" and not any(key in field for key in _KINDS_OF_TEXT):
        yield source.fault(
            path,
            Text(
                "没有写明是哪种文字：缺少 x-text。",
                "It does not say what kind of text it is: x-text is missing.",
            ),
            Text("否则空白和控制字符都会被接受。", "Otherwise blanks and control characters are accepted."),
            Text(
                "请写 x-text: line 或 paragraph，或写 pattern。",
                "Write x-text: line or paragraph, or a pattern.",
            ),
        )


def _places(form: Mapping[str, Any]) -> Iterator[tuple[Path_, Mapping[str, Any]]]:
    """Every field of a form file with its path in the file."""
    for names, field in places(form):
        path: Path_ = ()
        for name in names:
            path += ("items",) if name == "items" else ("properties", name)
        yield path, field


def _aliases(files: list[tuple[str, Source]]) -> Iterator[Fault]:
    """No spelling stands for two categories, or two repositories."""
    owner: dict[str, str] = {}
    for name, source in files:
        for i, spelling in enumerate(source.data.get("also", [])):
            yield from _owned(source, ("also", i), spelling, name, owner)


def _unambiguous(source: Source, path: Path_, spellings: Mapping[str, Iterable[str]]) -> Iterator[Fault]:
    """No header means two fields."""
    owner: dict[str, str] = {}
    for name, several in spellings.items():
        for spelling in several:
            yield from _owned(source, (*path, name, "x-columns"), spelling, name, owner)


def _owned(source: Source, path: Path_, spelling: str, name: str, owner: dict[str, str]) -> Iterator[Fault]:
    first = owner.setdefault(folded(spelling), name)
    if first != name:
        yield source.fault(
            path,
            Text(f"“{spelling}”已是“{first}”的写法。", f"“{spelling}” already stands for “{first}”."),
            Text("一种写法只能指一个意思。", "A spelling means one thing only."),
            Text("请从其中一处删去。", "Delete it in one of the two places."),
        )


def _messages(source: Source, value: Any, path: Path_) -> Iterator[Fault]:
    """Words in braces are among those that get filled in."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _messages(source, item, (*path, key))
    elif isinstance(value, str):
        words = _WORDS[str(path[0])]
        for word in re.findall(r"\{([^}]*)\}", value):
            if word not in words:
                yield source.fault(
                    path,
                    Text(f"没有可填入“{{{word}}}”的内容。", f"Nothing fills “{{{word}}}”."),
                    Text("花括号里的词由规则填入。", "Words in braces are filled in from the rules."),
                    nearest(word, sorted(words)),
                )
