"""Reads one YAML 1.2 file into plain data and remembers where each value stands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from rules.engine.faults import Fault, RulebookError
from schemas.texts import Text

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
MAX_EVENTS = 200_000

Path_ = tuple[str | int, ...]

_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?[0-9]{0,18}\.[0-9]{1,18}")
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}


@dataclass
class Source:
    """A rule file as read.

    Attributes:
        file: Path inside the rulebook's folder.
        data: Its content as plain dicts, lists and scalars; dates stay text.
        places: Line and column of each value's key (or of the element in a list), by path from the root.
        faults: Repeated keys.
    """

    file: str
    data: Any = None
    places: dict[Path_, tuple[int, int]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def fault(self, path: Path_, what: Text, why: Text, mend: Text) -> Fault:
        """A fault at a path, or at the nearest known place above it."""
        while path not in self.places and path:
            path = path[:-1]
        line, column = self.places.get(path, (1, 1))
        return Fault(self.file, line, column, what, why, mend)

    def construct(self, event: Any, events: Iterator[Any], path: Path_) -> Any:
        """Turns the events of one value into plain data, recording places and repeated keys."""
        self.places.setdefault(path, _place(event))
        if isinstance(event, MappingStartEvent):
            return self._mapping(events, path)
        if isinstance(event, SequenceStartEvent):
            items: list[Any] = []
            while not isinstance(event := next(events), SequenceEndEvent):
                items.append(self.construct(event, events, (*path, len(items))))
            return items
        return _scalar(event)

    def _mapping(self, events: Iterator[Any], path: Path_) -> dict[str, Any]:
        content: dict[str, Any] = {}
        while not isinstance(event := next(events), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                raise RulebookError([Fault(self.file, *_place(event), *_KEY)])
            key = str(event.value)
            if key in content:
                line = self.places[(*path, key)][0]
                self.faults.append(Fault(self.file, *_place(event), *_repeated(key, line)))
                self.construct(next(events), events, (*path, key, "repeated"))
                continue
            self.places[(*path, key)] = _place(event)
            content[key] = self.construct(next(events), events, (*path, key))
        return content


_KEY = (
    Text("这里的键不是文字。", "This key is not text."),
    Text(
        "多半是文字以 [ 或 { 开头，被当成了列表或字段。",
        "Mostly it is text that begins with [ or {, read as a list or fields.",
    ),
    Text("请给它加引号。", "Quote it."),
)


def _repeated(key: str, line: int) -> tuple[Text, Text, Text]:
    return (
        Text(
            f"键“{key}”重复，第 {line} 行已有。", f"The key “{key}” is repeated; line {line} has it already."
        ),
        Text("同一处写两遍，读者无从知道以哪个为准。", "Written twice, nobody can tell which one counts."),
        Text("请删去一个。", "Delete one of them."),
    )


def _place(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _scalar(event: Any) -> Any:
    """The core schema of YAML 1.2, without dates, octal and other dialects of numbers."""
    text = event.value
    if not event.implicit[0]:  # quoted, or a block of text
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def read(file: str, path: Path) -> Source:
    """Reads a rule file.

    Args:
        file: Its path inside the rulebook's folder, for messages.
        path: Where it is.

    Raises:
        RulebookError: It is no readable UTF-8 YAML, or uses anchors, tags or an absurd depth.
    """
    source = Source(file)
    text = _text(source, path)
    try:
        events = _harmless(source, text)
        for event in events:
            if isinstance(event, DocumentStartEvent):
                source.data = source.construct(next(events), events, ())
    except (YAMLError, ValueError) as error:
        raise _unreadable(source, error) from None
    if source.faults:
        raise RulebookError(source.faults)
    return source


def _text(source: Source, path: Path) -> str:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise RulebookError(
            [
                source.fault(
                    (),
                    Text(
                        f"文件有 {size} 字节，超过 {MAX_BYTES}。",
                        f"The file has {size} bytes, more than {MAX_BYTES}.",
                    ),
                    Text("规则文件应能由人通读。", "A rule file is meant to be read by people."),
                    Text("请拆成几个文件。", "Split it into several files."),
                )
            ]
        )
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise RulebookError(
            [
                Fault(
                    source.file,
                    line,
                    1,
                    Text(f"第 {line} 行不是 UTF-8 文字。", f"Line {line} is not UTF-8 text."),
                    Text("规则文件一律用 UTF-8 编码。", "All rule files are UTF-8."),
                    Text("请在编辑器里另存为 UTF-8。", "Save the file as UTF-8 in your editor."),
                )
            ]
        ) from None


def _harmless(source: Source, text: str) -> Iterator[Any]:
    """The events of a file, refusing at once what could explode."""
    depth = documents = 0
    for count, event in enumerate(YAML(typ="safe", pure=True).parse(text)):
        documents += isinstance(event, DocumentStartEvent)
        if documents > 1:
            raise _refused(
                source,
                event,
                Text("文件里有第二份内容（---）。", "The file holds a second document (---)."),
                Text("一个规则文件只装一份内容。", "A rule file holds one."),
                Text("请拆成几个文件。", "Split it into several files."),
            )
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > MAX_DEPTH or count > MAX_EVENTS:
            raise _refused(
                source,
                event,
                Text("嵌套太深或内容太多。", "Too deep or too much."),
                Text("规则文件应能由人通读。", "A rule file is meant to be read by people."),
                Text("请减少层次，或拆成几个文件。", "Use fewer levels, or several files."),
            )
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            raise _refused(
                source,
                event,
                Text("用了锚点或别名（& 或 *）。", "An anchor or alias (& or *) is used."),
                Text(
                    "别名可以层层展开，撑爆内存，读者也难以看清。",
                    "Aliases can multiply until memory bursts, and hide what a rule says.",
                ),
                Text(
                    "请把内容直接写出来；文字以 * 或 & 开头时加引号。",
                    "Write the content out; quote text that begins with * or &.",
                ),
            )
        if isinstance(event, NodeEvent) and getattr(event, "tag", None):
            raise _refused(
                source,
                event,
                Text("用了 YAML 标签（!）。", "A YAML tag (!) is used."),
                Text(
                    "规则文件只有文字、数字、是否、列表和字段。",
                    "Rule files hold only text, numbers, booleans, lists and fields.",
                ),
                Text("请去掉标签；文字以 ! 开头时加引号。", "Remove the tag; quote text that begins with !."),
            )
        yield event


def _refused(source: Source, event: Any, what: Text, why: Text, mend: Text) -> RulebookError:
    mark = event.start_mark
    return RulebookError([Fault(source.file, mark.line + 1, mark.column + 1, what, why, mend)])


def _unreadable(source: Source, error: Exception) -> RulebookError:
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    fault = Fault(
        source.file,
        line,
        column,
        Text("这里不是合法的 YAML。", "This is not valid YAML."),
        Text(
            "多半是缩进不齐、冒号后缺空格，或引号没有成对。",
            "Mostly it is uneven indentation, a missing blank after a colon, or an unpaired quote.",
        ),
        Text("请对照上一行检查。", "Compare it with the line above."),
    )
    return RulebookError([fault])
