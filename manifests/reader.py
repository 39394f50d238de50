"""The door of this package: open an uploaded file list, learn its header, read its rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from heapq import merge
from pathlib import Path
from typing import Literal

from manifests.delimited import find_delimiter, read_delimited, read_parts
from manifests.faults import Fault, UnreadableFile, fault_sentence
from manifests.kinds import find_kind
from manifests.ndjson import read_columns, read_objects
from manifests.rows import Limits, Part, Record, Row, find_header, gathered, in_parts, limited, name_cells
from manifests.workbook import find_sheet, read_sheet

__all__ = [
    "RUN_TABLE_COLUMNS",
    "Fault",
    "Limits",
    "Manifest",
    "Part",
    "Row",
    "UnreadableFile",
    "fault_sentence",
    "open_manifest",
]

Format = Literal["csv", "tsv", "ndjson", "xlsx"]
Listing = Literal["file_list", "gsa_human_run_table"]

RUN_TABLE_COLUMNS = frozenset({"studyAccession", "runAccession", "dataName"})
"""Columns that tell GSA-Human's run table (数据表导出); people delete others, the personal ones above all."""


@dataclass(frozen=True)
class Manifest:
    """An uploaded file list (文件清单).

    Attributes:
        format: ``csv``, ``tsv``, ``ndjson`` or ``xlsx``, by content.
        encoding: ``utf-8``, ``utf-8-sig``, ``utf-16`` or ``gb18030``; None for XLSX.
        header: Column names as the file spells them, without blanks around them, all different. They may
            be personal when a file lacks a header: show none before at least one is recognised.
        listing: A list of files, or GSA-Human's own export.
    """

    format: Format
    encoding: str | None
    header: list[str]
    listing: Listing
    _read: Callable[[], Iterator[Part]]

    def parts(self, rows: int = 0) -> Iterator[Part]:
        """Read the list from its first row, streaming, by column; blank rows are passed over.

        Args:
            rows: Least rows of a part, but for the last; 0: as they come.

        Raises:
            UnreadableFile: Beyond here nothing can be read: too many rows, a damaged workbook.
        """
        return gathered(self._read(), rows) if rows else self._read()

    def rows(self) -> Iterator[Row | Fault]:
        """Read the rows one by one, bad ones as faults.

        Raises:
            UnreadableFile: As :meth:`parts`.
        """
        for lines, cells, faults in self.parts():
            named: Iterator[Row | Fault] = (
                Row(line, {name: text for name, text in row.items() if text is not None})
                for line, row in zip(lines, cells.iter_rows(named=True), strict=True)
            )
            yield from merge(named, faults, key=lambda item: item.line or 0)


def open_manifest(
    path: Path,
    declared: str | None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    run_table_columns: frozenset[str] = RUN_TABLE_COLUMNS,
) -> Manifest:
    """Open an uploaded file list.

    Reads all of a text file once to tell its encoding (and an NDJSON's columns), of a workbook as little as
    finds the header.

    Args:
        path: The upload on disk. A workbook's strings are spooled to a nameless file.
        declared: Media type the upload declared, if any.
        limits: What the list may measure.
        run_table_columns: Columns that, all there, make it GSA-Human's run table.

    Raises:
        UnreadableFile: The file is no list, or not what was declared.
    """
    kind, encoding = find_kind(path, declared)
    if encoding is None:
        format_: Format = "xlsx"
        records = partial(read_sheet, path, find_sheet(path, limits), limits)
        header = find_header(records(), limits)
        read = partial(_padded, records, header, limits)
    elif kind == "ndjson":
        format_ = "ndjson"
        header = read_columns(path, encoding, limits)
        read = partial(_objects, path, encoding, header, limits)
    else:
        delimiter = find_delimiter(path, encoding, limits)
        format_ = "tsv" if delimiter == "\t" else "csv"
        header = find_header(read_delimited(path, encoding, delimiter, limits), limits)
        read = partial(read_parts, path, encoding, delimiter, limits)
    listing: Listing = "gsa_human_run_table" if run_table_columns <= set(header) else "file_list"
    return Manifest(format_, encoding, header, listing, lambda: limited(read(), limits))


def _padded(
    records: Callable[[], Iterator[Record | Fault]], header: list[str], limits: Limits
) -> Iterator[Part]:
    below = records()
    find_header(below, limits)
    return in_parts(name_cells(below, header, limits, padded=True), header)


def _objects(path: Path, encoding: str, header: list[str], limits: Limits) -> Iterator[Part]:
    return in_parts(read_objects(path, encoding, limits), header)
