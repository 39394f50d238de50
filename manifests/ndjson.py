"""NDJSON: one JSON object a line (https://github.com/ndjson/ndjson-spec)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from manifests.faults import Fault, UnreadableFile
from manifests.rows import Limits, Row, check_header, checked, number_text
from manifests.text import open_text, read_line


class _Nested(Exception):  # noqa: N818 - becomes a fault of the row
    """A value that is a list or an object."""


def read_columns(path: Path, encoding: str, limits: Limits) -> list[str]:
    """Collect the keys of all objects in order of first appearance: exporters leave empty ones out.

    Raises:
        UnreadableFile: No line is an object, or the keys cannot name columns.
    """
    columns: dict[str, None] = {}
    for _, record in _objects(path, encoding, limits):
        if not isinstance(record, Fault) and not columns.keys() >= record.keys():
            columns.update(dict.fromkeys(record))
            check_header(list(columns), limits)
    if not columns:
        raise UnreadableFile(Fault("file.not_ndjson"))
    return list(columns)


def read_objects(path: Path, encoding: str, limits: Limits) -> Iterator[Row | Fault]:
    """Read rows; of a key written twice in one object the last value counts."""
    for line, record in _objects(path, encoding, limits):
        if isinstance(record, Fault):
            yield record
            continue
        try:
            cells = {column: cell if type(cell) is str else _text(cell) for column, cell in record.items()}
        except _Nested:
            column = next(column for column, cell in record.items() if isinstance(cell, list | dict))
            yield Fault("cell.nested", line, column)
            continue
        text = "".join(cells.values())
        if text and not text.isspace():
            yield checked(Row(line, cells), limits)


def _objects(path: Path, encoding: str, limits: Limits) -> Iterator[tuple[int, dict[str, Any] | Fault]]:
    with open_text(path, encoding) as file:
        line = 0
        while (text := read_line(file, limits.line_length)) != "":
            line += 1
            if text is None:
                yield line, Fault("row.too_long", line, None, (limits.line_length,))
                continue
            if text.isspace():
                continue
            try:
                record = orjson.loads(text)
            except orjson.JSONDecodeError:  # also half a surrogate pair, NaN and over a thousand levels
                yield line, Fault("row.json", line)
                continue
            yield line, record if isinstance(record, dict) else Fault("row.not_object", line)


def _text(cell: object) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return str(cell).lower()
        case int():
            return str(cell)
        case float():
            return number_text(cell)
        case _:
            raise _Nested
