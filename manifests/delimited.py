"""CSV and TSV: quoted fields, any line end, comma, tab or semicolon."""

import csv
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from manifests.faults import Fault
from manifests.rows import Limits, Record
from manifests.text import open_text, read_line

_RECORD_LINES = 100
"""Most lines a quoted record spans; a longer one has lost its closing quote."""


class _Lines:
    """Lines of the file for ``csv.reader``, of which a broken record gives all but its first back.

    So a stray quote costs its own row, and not all rows up to the next quote.

    Attributes:
        line: Number of the last line handed out, from 1.
        record: Lines handed out for the record under way; None is one too long to hold.
    """

    def __init__(self, file: TextIO, length: int) -> None:
        self.line = 0
        self.record: list[str | None] = []
        self._file = file
        self._length = length
        self._again: deque[str | None] = deque()

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        text = self._again.popleft() if self._again else read_line(self._file, self._length)
        if text == "":
            raise StopIteration
        self.line += 1
        self.record.append(text)
        if text is None or len(self.record) > _RECORD_LINES:
            raise csv.Error
        return text

    def give_back(self) -> None:
        """Let the next record begin on the line behind the first of this one."""
        self._again.extendleft(reversed(self.record[1:]))
        self.line -= len(self.record) - 1


def find_delimiter(path: Path, encoding: str, limits: Limits) -> str:
    """Tell the delimiter by the first line with content: the commonest of comma, tab, semicolon."""
    with open_text(path, encoding) as file:
        while (line := read_line(file, limits.line_length)) != "":
            if line and line.strip():
                unquoted = re.sub(r'"[^"]*"', "", line)
                return max(",\t;", key=unquoted.count)
    return ","


def read_delimited(path: Path, encoding: str, delimiter: str, limits: Limits) -> Iterator[Record | Fault]:
    """Read the records of a delimited text file (RFC 4180), broken ones as faults."""
    with open_text(path, encoding) as file:
        lines = _Lines(file, limits.line_length)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            lines.record.clear()
            first = lines.line + 1
            try:
                yield Record(first, next(reader))
            except StopIteration:
                return
            except csv.Error:
                too_long = lines.record[0] is None
                lines.give_back()
                if too_long:
                    yield Fault("row.too_long", first, None, (limits.line_length,))
                else:
                    yield Fault("row.quotes", first)
