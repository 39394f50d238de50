"""Workbooks for the tests: by openpyxl, and as Excel writes them and openpyxl does not."""

import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO
from xml.sax.saxutils import escape

import openpyxl

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"
SMALL_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
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
SHEET = "xl/worksheets/sheet1.xml"
STRINGS = "xl/sharedStrings.xml"

Rows = Callable[[], Iterable[Sequence[str]]]


def write_raw_workbook(path: Path, rows: Rows, prefix: str = "", references: bool = True) -> None:
    """Write one sheet; every cell has a shared string of its own, and none is held in memory."""
    namespace = f'xmlns{":" if prefix else ""}{prefix}="{MAIN}"'
    tag = f"{prefix}:" if prefix else ""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in SMALL_PARTS.items():
            archive.writestr(name, content)
        with archive.open(SHEET, "w") as part:
            part.write(f"<{tag}worksheet {namespace}><{tag}sheetData>".encode())
            _write_rows(part, rows(), tag, references)
            part.write(f"</{tag}sheetData></{tag}worksheet>".encode())
        with archive.open(STRINGS, "w") as part:
            part.write(f"<{tag}sst {namespace}>".encode())
            for row in rows():
                strings = (f"<{tag}si><{tag}t>{escape(cell)}</{tag}t></{tag}si>" for cell in row)
                part.write("".join(strings).encode())
            part.write(f"</{tag}sst>".encode())


def _write_rows(part: IO[bytes], rows: Iterable[Sequence[str]], tag: str, references: bool) -> None:
    string = 0
    for line, row in enumerate(rows, start=1):
        cells = []
        for column in range(len(row)):
            reference = f' r="{chr(ord("A") + column)}{line}"' if references else ""
            cells.append(f'<{tag}c{reference} t="s"><{tag}v>{string}</{tag}v></{tag}c>')
            string += 1
        number = f' r="{line}"' if references else ""
        part.write(f"<{tag}row{number}>{''.join(cells)}</{tag}row>".encode())


def write_workbook(path: Path, *sheets: Iterable[Sequence[object]], hidden: Sequence[int] = ()) -> Path:
    """Write sheets by openpyxl: text in the cells themselves."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for position, rows in enumerate(sheets):
        sheet = book.create_sheet(f"Sheet{position}")
        for line, row in enumerate(rows, start=1):
            for column, value in enumerate(row, start=1):
                cell = sheet.cell(line, column, value)
                if isinstance(value, str):
                    cell.data_type = "s"  # also what looks like a formula
        if position in hidden:
            sheet.sheet_state = "hidden"
    book.save(path)
    return path


def replace_parts(path: Path, parts: dict[str, bytes]) -> Path:
    """Put other content into parts of a workbook, or add parts."""
    with zipfile.ZipFile(path) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (kept | parts).items():
            archive.writestr(name, content)
    return path
