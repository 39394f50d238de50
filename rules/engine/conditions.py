"""Says in words which records are meant: fields by their titles, numbers as spans, choices by name."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rules.engine.domain import ABSENT, Domain, Place
from rules.engine.release import Release
from schemas.texts import Text

Values = frozenset[str]
"""Values as JSON; the empty text stands for absence."""
Box = dict[Place, Values]
"""Records of one kind: every combination of these values."""

_SUBJECTS = {"manifest": Text("文件清单", "file list"), "submission": Text("提交", "submission")}
_EMPTY, _FILLED = Text("不填", "left empty"), Text("已填", "filled in")
_LONG_TEXT, _LONG_LIST = 24, 3


def box(conditions: Mapping[Place, Any]) -> Box:
    """The box that holds one record."""
    return {
        place: frozenset(["" if value is ABSENT else json.dumps(value, sort_keys=True)])
        for place, value in conditions.items()
    }


def merged(boxes: list[Box]) -> list[Box]:
    """The same records in fewer boxes: those that differ in one field only become one."""
    places = list(boxes[0])
    before = 0
    while before != len(boxes):
        before = len(boxes)
        for place in places:
            others = [other for other in places if other != place]
            groups: dict[tuple[Values, ...], Values] = defaultdict(frozenset)
            for one in boxes:
                groups[tuple(one[other] for other in others)] |= one[place]
            boxes = [
                {name: union if name == place else key[others.index(name)] for name in places}
                for key, union in groups.items()
            ]
    return boxes


class Wording:
    """The words for one subject of one release."""

    def __init__(self, domain: Domain, release: Release) -> None:
        self._domain = domain
        self._release = release

    @property
    def title(self) -> Text:
        """What the subject is called."""
        subject = self._domain.subject
        return _SUBJECTS.get(subject) or Text(**self._release.form(subject)["x-title"])

    def field(self, place: Place) -> Text:
        """What a field is called."""
        field = self._domain.fields.get(place)
        return Text(**field["x-title"]) if field else Text(".".join(place), ".".join(place))

    def records(self, box: Box, universe: Mapping[Place, Values]) -> Text:
        """Which records a box holds; fields that may be anything are not named."""
        zh, en = [self.title.zh], [self.title.en]
        for place, texts in box.items():
            if texts == universe[place]:
                continue
            told = _FILLED if texts == universe[place] - {""} else self._values(place, texts)
            zh.append(f"{self.field(place).zh} {told.zh}")
            en.append(f"{self.field(place).en} {told.en}")
        return Text("，".join(zh), ", ".join(en))

    def _values(self, place: Place, texts: Values) -> Text:
        found = [json.loads(text) if text else ABSENT for text in sorted(texts)]
        numbers = sorted(value for value in found if type(value) is int)
        alone = [value[0] for value in found if isinstance(value, list) and len(value) == 1]
        found = [
            value
            for value in found
            if not (isinstance(value, list) and len(value) > 1 and any(item in alone for item in value))
        ]
        told = [Text(span, span) for span in self._spans(place, numbers)]
        told += [self.value(place, value) for value in found if type(value) is not int]
        return Text("、".join(text.zh for text in told), " or ".join(text.en for text in told))

    def _spans(self, place: Place, numbers: Sequence[int]) -> Iterator[str]:
        """Numbers that follow each other among those tried, as ``301–500``."""
        tried = sorted({value for value in self._domain.candidates.get(place, []) if type(value) is int})
        rest = list(numbers)
        while rest:
            first = last = rest.pop(0)
            while rest and tried.index(rest[0]) == tried.index(last) + 1:
                last = rest.pop(0)
            yield str(first) if first == last else f"{first}–{last}"

    def value(self, place: Place, value: Any) -> Text:
        """One value: a choice by its title, long texts and lists by their length."""
        if value is ABSENT:
            return _EMPTY
        if isinstance(value, list) and len(value) > _LONG_LIST:
            return Text(f"（{len(value)} 项）", f"({len(value)} items)")
        if isinstance(value, list) and value:
            told = [self.value((*place, "items"), item) for item in value]
            return Text("＋".join(text.zh for text in told), " + ".join(text.en for text in told))
        known = self._domain.fields.get(place, {}).get("x-values", {})
        if isinstance(value, str) and value in known:
            return Text(known[value]["zh"], known[value]["en"])
        if isinstance(value, str) and len(value) > _LONG_TEXT:
            return Text(f"（{len(value)} 个字）", f"({len(value)} characters)")
        text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
        return Text(text, text)
