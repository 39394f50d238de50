"""Rows of a file list: the header found, cells named by it, and what no row may hold."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import polars as pl

from manifests.faults import Fault, UnreadableFile

HEADER_NAME_LENGTH = 200
"""Longest column name in characters; a longer one means that the first line is no header."""
_PART = 2_000
"""Rows read one by one that are made columns of at once."""


@dataclass(frozen=True)
class Limits:
    """What a file list may measure.

    Attributes:
        rows: Most rows below the header.
        columns: Most columns of the header.
        cell_length: Most characters of a cell.
        line_length: Most characters of a line of text; csv's own limit of a field.
        unpacked_bytes: Most bytes all parts of a workbook unpack to.
    """

    rows: int = 1_000_000
    columns: int = 200
    cell_length: int = 4_096
    line_length: int = 131_072
    unpacked_bytes: int = 2 << 30


class Row(NamedTuple):
    """One row of the list (清单行).

    Attributes:
        line: Line of the file, from 1; the sheet's row for XLSX. A record over several lines has its first.
        cells: Column name as the header spells it → text; ``""`` is an empty cell.
    """

    line: int
    cells: dict[str, str]


class Part(NamedTuple):
    """A stretch of the list, by column (清单片段).

    Attributes:
        lines: Line of each readable row, ``Int64``.
        cells: Text by column, named as the header spells it; null where an NDJSON row lacks the key.
        faults: What could not be read on the way.
    """

    lines: pl.Series
    cells: pl.DataFrame
    faults: list[Fault]


Record = tuple[int, list[str]]
"""Line and cells of a delimited record or a sheet's row, by position, before they have names."""


def find_header(records: Iterator[Record | Fault], limits: Limits) -> list[str]:
    """Take the first record with content as the header and leave ``records`` behind it.

    Raises:
        UnreadableFile: There is none, or it cannot name columns.
    """
    for record in records:
        if isinstance(record, Fault):
            raise UnreadableFile(record)
        line, cells = record
        names = [cell.strip() for cell in cells]
        while names and not names[-1]:
            names.pop()
        if names:
            check_header(names, limits, line)
            return names
    raise UnreadableFile(Fault("file.empty"))


def check_header(names: list[str], limits: Limits, line: int | None = None) -> None:
    """Refuse a header whose names cannot be keys; column positions count from 1.

    Raises:
        UnreadableFile: Too many, unnamed, overlong or equal columns.
    """
    if len(names) > limits.columns:
        raise UnreadableFile(Fault("header.too_many_columns", line, None, (limits.columns,)))
    places: dict[str, int] = {}
    for place, name in enumerate(names, start=1):
        if not name:
            raise UnreadableFile(Fault("header.unnamed", line, None, (place,)))
        if "\0" in name:
            raise UnreadableFile(Fault("header.nul", line, None, (place,)))
        if len(name) > HEADER_NAME_LENGTH:
            raise UnreadableFile(Fault("header.too_long", line, None, (place, HEADER_NAME_LENGTH)))
        if name in places:
            raise UnreadableFile(Fault("header.duplicate", line, None, (places[name], place)))
        places[name] = place


def name_cells(
    records: Iterator[Record | Fault], header: list[str], limits: Limits, *, padded: bool
) -> Iterator[Row | Fault]:
    """Name the cells of the records below the header; blank ones are passed over.

    Args:
        records: What stands below the header.
        header: Names of the columns.
        limits: What the list may measure.
        padded: A short record ends in empty cells (a sheet leaves them out) rather than being a fault.
    """
    width, cell_length = len(header), limits.cell_length
    for record in records:
        if isinstance(record, Fault):
            yield record
            continue
        line, cells = record
        text = "".join(cells)
        if not text or text.isspace():
            continue
        if len(cells) != width:
            while len(cells) > width and not cells[-1].strip():
                cells.pop()
            if padded:
                cells.extend([""] * (width - len(cells)))
            if len(cells) != width:
                yield Fault("row.cells", line, None, (width, len(cells)))
                continue
        row = Row(line, dict(zip(header, cells, strict=False)))
        if len(text) > cell_length or "\0" in text:  # one look clears nearly every row
            yield checked(row, limits)
        else:
            yield row


def checked(row: Row, limits: Limits) -> Row | Fault:
    """Pass a row on, or the fault of its first cell that cannot be kept."""
    line, cells = row
    for column, cell in cells.items():
        if len(cell) > limits.cell_length:
            return Fault("cell.too_long", line, column, (limits.cell_length,))
        if "\0" in cell:  # PostgreSQL's text cannot hold it
            return Fault("cell.nul", line, column)
    return row


def in_parts(rows: Iterator[Row | Fault], header: list[str]) -> Iterator[Part]:
    """Make columns of rows that were read one by one."""
    while several := list(islice(rows, _PART)):
        found = [row for row in several if isinstance(row, Row)]
        cells = {name: [row.cells.get(name) for row in found] for name in header}
        yield Part(
            pl.Series([row.line for row in found], dtype=pl.Int64),
            pl.DataFrame(cells, schema=dict.fromkeys(header, pl.String)),
            [fault for fault in several if isinstance(fault, Fault)],
        )


def limited(parts: Iterator[Part], limits: Limits) -> Iterator[Part]:
    """Pass parts on until there are more rows and faults than a list may have.

    Raises:
        UnreadableFile: At the first row too many.
    """
    left = limits.rows
    for part in parts:
        left -= len(part.lines) + len(part.faults)
        if left < 0:
            lines = sorted([*part.lines, *(fault.line or 0 for fault in part.faults)])
            raise UnreadableFile(Fault("file.too_many_rows", lines[left], None, (limits.rows,)))
        yield part


def gathered(parts: Iterator[Part], rows: int) -> Iterator[Part]:
    """Join parts until each has so many rows, or the list ends."""
    several: list[Part] = []
    for part in parts:
        several.append(part)
        if sum(len(part.lines) for part in several) >= rows:
            yield _joined(several)
            several = []
    if several:
        yield _joined(several)


def _joined(parts: list[Part]) -> Part:
    lines, cells, faults = zip(*parts, strict=True)
    return Part(
        pl.concat(lines, rechunk=True),
        pl.concat(cells, rechunk=True),
        [fault for several in faults for fault in several],
    )


def number_text(number: float) -> str:
    """Write a number as a person would: whole ones without a point, as far as a double tells them apart."""
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)
