"""The canonical layout of rule files (格式化): indentation, quotes and blanks; comments and content stay."""

import io
import os
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.emitter import RoundTripEmitter
from ruamel.yaml.events import MappingEndEvent

from rules.engine.dialect import SCHEMAS, kind_of
from rules.engine.source import read

_HEADER = "# yaml-language-server: $schema="
_NEVER = 1 << 20


class _Emitter(RoundTripEmitter):
    """Writes ``{ zh: …, en: … }`` with blanks inside the braces."""

    def expect_first_flow_mapping_key(self) -> None:
        if not isinstance(self.event, MappingEndEvent):
            self.write_indicator(" ", False, whitespace=True)
        super().expect_first_flow_mapping_key()

    def expect_flow_mapping_key(self) -> None:
        self.flow_map_end = " }"
        super().expect_flow_mapping_key()
        self.flow_map_end = "}"


def formatted(folder: Path, path: Path) -> str:
    """The canonical text of one rule file.

    Two blanks per level, lists indented below their key, no line broken or ended by blanks, one schema line
    at the top for editors. Quotes, comments, blank lines and the order of keys stay as written.

    Raises:
        RulebookError: The file is not readable; nothing can be said of its layout.
    """
    file = path.relative_to(folder).as_posix()
    read(file, path)
    yaml = YAML()
    yaml.Emitter = _Emitter
    yaml.preserve_quotes = True
    yaml.width = _NEVER
    yaml.indent(mapping=2, sequence=4, offset=2)
    text = path.read_text("utf-8-sig")
    buffer = io.StringIO()
    yaml.dump(yaml.load(text), buffer)
    lines = [line.rstrip() for line in buffer.getvalue().splitlines()]
    kind = kind_of(file)
    if kind and not (lines and lines[0].startswith(_HEADER)):
        lines.insert(0, _HEADER + os.path.relpath(SCHEMAS / f"{kind}.schema.json", path.parent))
    while lines and not lines[-1]:
        del lines[-1]
    result = "\n".join(lines) + "\n"
    plain = YAML(typ="safe", pure=True)
    if plain.load(result) != plain.load(text):
        raise AssertionError(f"{file}: the canonical text would say something else")
    return result
