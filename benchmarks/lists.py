"""File lists of any length: the rows of the examples over and over, each with its own name and checksum."""

import csv
import zipfile
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, cycle, islice
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from benchmarks.ground import EXAMPLES

Cells = dict[str, str]


class Format(NamedTuple):
    """How a list is written, and what it is sent as."""

    media_type: str
    write: Callable[[Path, int], None]


def rows(count: int, faulty: int) -> Iterator[Cells]:
    """Rows of a file list.

    Args:
        count: How many.
        faulty: One row in so many names a wrong checksum and the wrong repository; 0 for none.
    """
    for number, example in enumerate(islice(cycle(_example("file-list.csv")), count)):
        row = {**example, "file_name": f"F{number:07d}_{example['file_name']}", "md5": f"{number:032x}"}
        if faulty and number % faulty == 0:
            row |= {"md5": "not a checksum", "repository": "genbase"}
        yield row


def _example(name: str) -> list[Cells]:
    with (EXAMPLES / name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def write_csv(path: Path, below: Iterator[Cells]) -> None:
    """A list with its header."""
    with path.open("w", encoding="utf-8", newline="") as file:
        first = next(below)
        writer = csv.writer(file)
        writer.writerow(first)
        writer.writerows(row.values() for row in chain([first], below))


def _write_table(path: Path, count: int) -> None:
    write_csv(path, uploaded(count))


def uploaded(count: int) -> Iterator[Cells]:
    """Rows as the uploads hold them: one in a hundred is faulty."""
    return rows(count, 100)


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"
SMALL_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{SPREADSHEET}.sheet.main+xml"/>'
    f'<Override PartName="/xl/sharedStrings.xml" ContentType="{SPREADSHEET}.sharedStrings+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{SPREADSHEET}.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
    '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}


def _write_workbook(path: Path, count: int) -> None:
    """As a spreadsheet program writes it: every text in the table of shared strings, once."""
    places: dict[str, int] = {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in SMALL_PARTS.items():
            archive.writestr(name, content)
        with archive.open("xl/worksheets/sheet1.xml", "w") as part:
            part.write(f'<worksheet xmlns="{MAIN}"><sheetData>'.encode())
            header = list(next(uploaded(1)))
            below = (list(row.values()) for row in uploaded(count))
            for line, cells in enumerate(chain([header], below), start=1):
                part.write(_sheet_row(line, cells, places).encode())
            part.write(b"</sheetData></worksheet>")
        with archive.open("xl/sharedStrings.xml", "w") as part:
            part.write(f'<sst xmlns="{MAIN}">'.encode())
            for text in places:
                part.write(f"<si><t>{escape(text)}</t></si>".encode())
            part.write(b"</sst>")


def _sheet_row(line: int, cells: Sequence[str], places: dict[str, int]) -> str:
    written = [
        f'<c r="{column}{line}" t="s"><v>{places.setdefault(cell, len(places))}</v></c>'
        for column, cell in zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", cells, strict=False)
        if cell
    ]
    return f'<row r="{line}">{"".join(written)}</row>'


FORMATS = {  # the plainest to read and the heaviest: a million rows of each more take most of a minute
    "csv": Format("text/csv", _write_table),
    "xlsx": Format(f"{SPREADSHEET}.sheet", _write_workbook),
}
