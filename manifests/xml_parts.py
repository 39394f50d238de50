"""The two big parts of a workbook, a sheet and the shared strings, parsed in constant memory.

openpyxl keeps an element of every row and every shared string, and its hardened parser is several times
slower; so these two parts go through expat here, and all small ones through openpyxl in ``workbook.py``.
Elements: ECMA-376 part 1, §18.3.1 (worksheets) and §18.4 (shared strings).
"""

import os
import re
import tempfile
from array import array
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import IO
from xml.parsers import expat

from manifests.rows import Record, number_text

_CHUNK = 1 << 16
_DEPTH = 32
_TOKEN_BYTES = 4 << 20
_SHARED_STRINGS = 10_000_000
_SHEET_ROWS = 1 << 20
_SHEET_COLUMNS = 1 << 14
_ESCAPED = re.compile("_x(00[01][0-9A-Fa-f]|005[Ff])_")


class Damaged(Exception):  # noqa: N818 - becomes a fault of the file
    """A part that no spreadsheet program writes: broken, or built to exhaust its reader."""


class _Part:
    """Streams one XML part through expat and keeps a hostile one small."""

    def __init__(self, source: IO[bytes], text_length: int) -> None:
        self._source = source
        self._text_length = text_length
        self._text: list[str] = []
        self._depth = 0
        self._prefix = ""
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.StartElementHandler = self._start_root

    def _chunks(self) -> Iterator[None]:
        """Parse chunk by chunk; what each held is in the subclass's fields when this yields.

        Raises:
            Damaged: The part holds a DTD, is nested too deeply or has an endless tag.
            expat.ExpatError: It is not well-formed.
        """
        fed = 0
        while chunk := self._source.read(_CHUNK):
            self._parser.Parse(chunk)
            fed += len(chunk)
            if self._depth > _DEPTH or fed - self._parser.CurrentByteIndex > _TOKEN_BYTES:
                raise Damaged
            if len(self._text) > 1:
                self._text[:] = ["".join(self._text)[: self._text_length]]
            yield
        self._parser.Parse(b"", True)
        yield

    def _take_text(self) -> str:
        text = "".join(self._text)[: self._text_length]
        self._text.clear()
        return text

    def _start_root(self, name: str, _: dict[str, str]) -> None:
        prefix, colon, _local = name.rpartition(":")
        self._prefix = prefix + colon
        self._begin()

    def _begin(self) -> None:
        """Set the handlers for everything inside the root."""
        raise NotImplementedError

    def _refuse_doctype(self, *_: object) -> None:
        raise Damaged  # no workbook has one, and entities are declared nowhere else


class SharedStrings(_Part):
    """Shared strings (共享字符串) by index, spooled to disk as far as they have been asked for."""

    def __init__(self, source: IO[bytes], text_length: int) -> None:
        super().__init__(source, text_length)
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - close() ends it
        self._ends = array("Q", [0])
        self._latest: list[str] = []
        self._phonetic = False
        self._progress = self._chunks()
        self._earlier = lru_cache(maxsize=1_024)(self._read_back)

    def at(self, index: int) -> str:
        """Return the string with this index, from 0.

        Programs number strings as cells come to need them, so it is nearly always of the chunk parsed last,
        or one of a few that come again and again.

        Raises:
            Damaged: There is none.
        """
        if index < 0:
            raise Damaged
        while index + 1 >= len(self._ends):
            self._latest.clear()
            if next(self._progress, True) or len(self._ends) > _SHARED_STRINGS:
                raise Damaged
            self._write_down()
        place = index - len(self._ends) + 1
        return self._latest[place] if -place <= len(self._latest) else self._earlier(index)

    def close(self) -> None:
        """Delete the spool."""
        self._spool.close()

    def _begin(self) -> None:
        self._item, self._piece, self._reading = (self._prefix + name for name in ("si", "t", "rPh"))
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def _start(self, name: str, _: dict[str, str]) -> None:
        self._depth += 1
        if name == self._piece and not self._phonetic:
            self._parser.CharacterDataHandler = self._text.append
        elif name == self._reading:
            self._phonetic = True

    def _end(self, name: str) -> None:
        self._depth -= 1
        if name == self._piece:
            self._parser.CharacterDataHandler = None
        elif name == self._item:
            self._latest.append(_unescape(self._take_text()))
        elif name == self._reading:
            self._phonetic = False

    def _write_down(self) -> None:
        end = self._ends[-1]
        strings = [string.encode() for string in self._latest]
        for string in strings:
            end += len(string)
            self._ends.append(end)
        self._spool.write(b"".join(strings))
        self._spool.flush()

    def _read_back(self, index: int) -> str:
        start, end = self._ends[index], self._ends[index + 1]
        return os.pread(self._spool.fileno(), end - start, start).decode()


class SheetRows(_Part):
    """Rows of a sheet (工作表), cells as text by position; empty cells at the end are left out."""

    def __init__(
        self,
        source: IO[bytes],
        text_length: int,
        shared_string: Callable[[int], str],
        date_text: Callable[[float, int], str | None],
    ) -> None:
        """Prepare to read.

        Args:
            source: The sheet's part.
            text_length: Characters kept of a longer text.
            shared_string: Index → text.
            date_text: Number and style → text, None where the style is not a date's.
        """
        super().__init__(source, text_length)
        self._shared_string = shared_string
        self._date_text = date_text
        self._records: list[Record] = []
        self._cells: list[str] = []
        self._attributes: dict[str, str] = {}
        self._column = 0
        self._line = 0
        self._phonetic = self._finished = False

    def __iter__(self) -> Iterator[Record]:
        for _ in self._chunks():
            yield from self._records
            self._records.clear()
            if self._finished:  # what follows (merged ranges, conditional formats) says nothing of the list
                return
            if len(self._cells) > _SHEET_COLUMNS:
                raise Damaged

    def _begin(self) -> None:
        prefix = self._prefix
        self._row_name, self._cell_name, self._value_name = prefix + "row", prefix + "c", prefix + "v"
        self._inline_name, self._reading, self._data = prefix + "t", prefix + "rPh", prefix + "sheetData"
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if name == self._cell_name:
            self._attributes = attributes
        elif name == self._value_name or (name == self._inline_name and not self._phonetic):
            self._parser.CharacterDataHandler = self._text.append
        elif name == self._row_name:
            self._start_row(int(attributes.get("r", self._line + 1)))
        elif name == self._reading:
            self._phonetic = True

    def _start_row(self, line: int) -> None:
        if not self._line < line <= _SHEET_ROWS:  # a line names one row
            raise Damaged
        self._line = line
        self._column = 0

    def _end(self, name: str) -> None:
        self._depth -= 1
        if name == self._value_name or name == self._inline_name:
            self._parser.CharacterDataHandler = None
        elif name == self._cell_name:
            self._end_cell()
        elif name == self._row_name:
            self._records.append((self._line, self._cells))
            self._cells = []
        elif name == self._reading:
            self._phonetic = False
        elif name == self._data:
            self._finished = True

    def _end_cell(self) -> None:
        attributes = self._attributes
        reference = attributes.get("r")
        column = _column(reference.rstrip("0123456789")) if reference else self._column
        self._column = column + 1
        if not self._text:
            return
        text = self._take_text()
        kind = attributes.get("t", "n")
        if kind == "s":
            value = self._shared_string(int(text))
        elif kind == "n":
            value = self._number(text, attributes.get("s"))
        elif kind == "b":
            value = "true" if text.strip() == "1" else "false"
        else:
            value = _unescape(text)  # "str", "inlineStr", "d" (ISO 8601), "e" (an error such as #N/A)
        cells = self._cells
        while len(cells) < column:
            cells.append("")
        cells[column : column + 1] = (value,)

    def _number(self, text: str, style: str | None) -> str:
        if style and (date := self._date_text(float(text), int(style))) is not None:
            return date
        return text if text.isdecimal() else number_text(float(text))


@lru_cache(maxsize=_SHEET_COLUMNS)
def _column(letters: str) -> int:
    """Position from 0 of a column by its letters: A is 0, AA is 26."""
    position = 0
    for letter in letters:
        position = position * 26 + ord(letter) - ord("A") + 1
    if not 1 <= position <= _SHEET_COLUMNS:
        raise Damaged
    return position - 1


def _unescape(text: str) -> str:
    """Undo the escapes of control characters (ECMA-376 part 1, §22.9.2.19), and only those.

    A file name may well contain ``_x1234_``: programs other than Excel write it as it is.
    """
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text
