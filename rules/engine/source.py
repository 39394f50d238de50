"""Reads one YAML 1.2 file into plain data and remembers where each value stands."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, NodeEvent
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from rules.engine.faults import Fault, RulebookError, Text

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
MAX_EVENTS = 200_000

Path_ = tuple[str | int, ...]


@dataclass
class Source:
    """A rule file as read.

    Attributes:
        file: Path inside the rulebook's folder.
        data: Its content as plain dicts, lists and scalars; dates stay text.
        places: Line and column of each value's key (or of the element in a list), by path from the root.
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

    def construct(self, node: Node, path: Path_) -> Any:
        """Turns a YAML node into plain data, recording places and repeated keys."""
        self.places.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.construct(child, (*path, i)) for i, child in enumerate(node.value)]
        return _scalar(node)

    def _mapping(self, node: MappingNode, path: Path_) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            place = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if key in content:
                first = self.places[(*path, key)][0]
                self.faults.append(
                    Fault(
                        self.file,
                        *place,
                        Text(
                            f"键“{key}”重复，第 {first} 行已有。",
                            f"The key “{key}” is repeated; line {first} has it already.",
                        ),
                        Text(
                            "同一处写两遍，读者无从知道以哪个为准。",
                            "Written twice, nobody can tell which one counts.",
                        ),
                        Text("请删去一个。", "Delete one of them."),
                    )
                )
                continue
            self.places[(*path, key)] = place
            content[key] = self.construct(value_node, (*path, key))
        return content


def _scalar(node: Node) -> Any:
    kind = str(node.tag).rsplit(":", 1)[-1]
    if kind == "null":
        return None
    if kind == "bool":
        return node.value.lower() == "true"
    if kind == "int":
        return int(node.value, 0)
    if kind == "float":
        return float(node.value)
    return node.value


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
    _scan(source, text)
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except (YAMLError, ValueError) as error:
        raise _unreadable(source, error) from None
    if node is not None:
        source.data = source.construct(node, ())
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


def _scan(source: Source, text: str) -> None:
    """Refuses what can explode, before anything is built."""
    depth = count = 0
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            count += 1
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
                    Text(
                        "请去掉标签；文字以 ! 开头时加引号。",
                        "Remove the tag; quote text that begins with !.",
                    ),
                )
    except (YAMLError, ValueError) as error:
        raise _unreadable(source, error) from None


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
