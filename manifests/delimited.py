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

    So a stray quote costs its own row, and not all rows up to the next quote. Iterating raises ``csv.Error``
    where a record cannot go on: at a line too long to hold, or after more lines than a record has.

    Attributes:
        record: Lines handed out for the record under way; None is one too long to hold.
    """

    def __init__(self, file: TextIO, length: int) -> None:
        self.record: list[str | None] = []
        self._file = file
        self._length = length
        self._again: deque[str | None] = deque()

    def __iter__(self) -> Iterator[str]:
        record, again, file, length = self.record, self._again, self._file, self._length
        while (text := again.popleft() if again else read_line(file, length)) != "":
            record.append(text)
            if text is None or len(record) > _RECORD_LINES:
                raise csv.Error
            yield text

    def give_back(self) -> None:
        """Let the next record begin on the line behind the first of this one."""
        self._again.extendleft(reversed(self.record[1:]))
        del self.record[1:]


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
        line = 1
        while True:
            try:
                yield line, next(reader)
            except StopIteration:
                return
            except csv.Error:
                too_long = lines.record[0] is None
                lines.give_back()
                reader = csv.reader(lines, delimiter=delimiter, strict=True)
                if too_long:
                    yield Fault("row.too_long", line, None, (limits.line_length,))
                else:
                    yield Fault("row.quotes", line)
            line += len(lines.record)
            lines.record.clear()
