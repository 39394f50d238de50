"""The door of this package: open an uploaded file list, learn its header, read its rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from manifests.delimited import find_delimiter, read_delimited
from manifests.faults import Fault, UnreadableFile, fault_sentence
from manifests.kinds import find_kind
from manifests.ndjson import read_columns, read_objects
from manifests.rows import Limits, Record, Row, find_header, limited, name_cells
from manifests.workbook import find_sheet, read_sheet

__all__ = [
    "RUN_TABLE_COLUMNS",
    "Fault",
    "Limits",
    "Manifest",
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
    _read: Callable[[], Iterator[Row | Fault]]

    def rows(self) -> Iterator[Row | Fault]:
        """Read the rows from the first, streaming; blank ones are passed over, bad ones come as faults.

        Raises:
            UnreadableFile: Beyond here nothing can be read: too many rows, a damaged workbook.
        """
        return self._read()


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
    if kind == "ndjson" and encoding is not None:
        format_: Format = "ndjson"
        header = read_columns(path, encoding, limits)
        read: Callable[[], Iterator[Row | Fault]] = partial(read_objects, path, encoding, limits)
    else:
        format_, records = _table(path, encoding, limits)
        header = find_header(records(), limits)
        read = partial(_named, records, limits, padded=format_ == "xlsx")
    listing: Listing = "gsa_human_run_table" if run_table_columns <= set(header) else "file_list"
    return Manifest(format_, encoding, header, listing, lambda: limited(read(), limits))


def _table(
    path: Path, encoding: str | None, limits: Limits
) -> tuple[Format, Callable[[], Iterator[Record | Fault]]]:
    """Give the format of a table, and how to read its records from the first."""
    if encoding is None:
        return "xlsx", partial(read_sheet, path, find_sheet(path, limits), limits)
    delimiter = find_delimiter(path, encoding, limits)
    return "tsv" if delimiter == "\t" else "csv", partial(read_delimited, path, encoding, delimiter, limits)


def _named(
    records: Callable[[], Iterator[Record | Fault]], limits: Limits, *, padded: bool
) -> Iterator[Row | Fault]:
    below = records()
    return name_cells(below, find_header(below, limits), limits, padded=padded)
