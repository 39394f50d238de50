"""XLSX: the workbook's small parts by openpyxl, and the one sheet that is the list."""

import errno
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from xml.etree.ElementTree import ParseError
from xml.parsers.expat import ExpatError

from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.utils.datetime import from_excel
from openpyxl.xml.constants import SHARED_STRINGS

from manifests.faults import Fault, UnreadableFile
from manifests.rows import Limits, Record
from manifests.xml_parts import Damaged, SharedStrings, SheetRows

warnings.filterwarnings("ignore", module="openpyxl")  # they quote names of sheets into the log

_SMALL_PART = 4 << 20
_DIRECTORY = 1 << 20
_DAMAGE = (
    Damaged,
    zipfile.BadZipFile,
    zlib.error,
    ExpatError,
    ParseError,
    EOFError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,  # a part with a password; NotImplementedError: an unknown compression
    TypeError,
    ValueError,
    struct.error,
)
"""All that zipfile and openpyxl raise on a package that is not as it should be: they have no family."""


class _Archive(zipfile.ZipFile):
    """A ZIP archive that reads only small parts whole. zipfile never yields more than a part declares."""

    def read(self, name: str | zipfile.ZipInfo, pwd: bytes | None = None) -> bytes:
        if self.getinfo(name if isinstance(name, str) else name.filename).file_size > _SMALL_PART:
            raise Damaged
        return super().read(name, pwd)


class Workbook:
    """An open XLSX workbook (工作簿).

    Args:
        file: The upload.
        limits: What it may measure.

    Raises:
        UnreadableFile: It unpacks to too much.
    """

    def __init__(self, file: IO[bytes], limits: Limits) -> None:
        _check_directory(file)
        self.archive = _Archive(file)
        if sum(part.file_size for part in self.archive.infolist()) > limits.unpacked_bytes:
            raise UnreadableFile(Fault("file.unpacked_too_large", None, None, (limits.unpacked_bytes >> 20,)))
        if "[Content_Types].xml" not in self.archive.namelist():
            raise UnreadableFile(Fault("file.is_zip"))
        reader = ExcelReader(file, read_only=True, keep_links=False)
        reader.archive = self.archive
        reader.read_manifest()
        reader.read_workbook()
        apply_stylesheet(self.archive, reader.wb)
        parts = {part.ContentType: part.PartName.removeprefix("/") for part in reader.package.Override}
        self._strings_part = parts.get(SHARED_STRINGS)
        self.sheet_parts = [
            str(relation.target)
            for sheet, relation in reader.parser.find_sheets()
            if sheet.state == "visible" and "chartsheet" not in relation.Type
        ]
        self._book: Any = reader.wb  # its sets of date styles are not in its type

    def open_strings(self) -> IO[bytes]:
        """Open the shared strings; a workbook may have none."""
        return self.archive.open(self._strings_part) if self._strings_part else BytesIO(b"<sst/>")

    def date_text(self, number: float, style: int) -> str | None:
        """Write a date or time as ISO 8601; None for a number that is not shown as one."""
        if style not in self._book._date_formats:
            return None
        try:
            moment = from_excel(number, self._book.epoch, timedelta=style in self._book._timedelta_formats)
        except (ArithmeticError, ValueError):
            return None
        return str(moment).removesuffix(" 00:00:00")


def find_sheet(path: Path, limits: Limits) -> str:
    """Tell which part is the list: the only visible sheet with content. Hidden sheets do not count.

    Raises:
        UnreadableFile: There is none or more than one, or the file is not a sound workbook.
    """
    with _damage_told(), path.open("rb") as file:
        parts = Workbook(file, limits).sheet_parts
    filled = [part for part in parts if _has_content(read_sheet(path, part, limits))]
    if len(filled) > 1:
        raise UnreadableFile(Fault("file.several_sheets", None, None, (len(filled),)))
    if not filled:
        raise UnreadableFile(Fault("file.empty"))
    return filled[0]


def read_sheet(path: Path, part: str, limits: Limits) -> Iterator[Record | Fault]:
    """Read the rows of a sheet.

    Numbers come as a person would write them, dates and times as ISO 8601, formulas as the value last
    computed, errors as shown (``#N/A``).

    Raises:
        UnreadableFile: The workbook is damaged.
    """
    kept = limits.cell_length + 1  # one more than allowed, so that a longer text is seen to be too long
    with _damage_told(), path.open("rb") as file:
        workbook = Workbook(file, limits)
        with (
            workbook.open_strings() as strings_source,
            closing(SharedStrings(strings_source, kept)) as strings,
            workbook.archive.open(part) as source,
        ):
            yield from SheetRows(source, kept, strings.at, workbook.date_text)


@contextmanager
def _damage_told() -> Iterator[None]:
    damaged = UnreadableFile(Fault("file.not_xlsx"))
    try:
        yield
    except _DAMAGE:
        raise damaged from None
    except OSError as error:
        if error.errno in (None, errno.EINVAL):  # openpyxl's own, and a seek to where a broken part points
            raise damaged from None
        raise


def _has_content(records: Iterator[Record | Fault]) -> bool:
    return any(not isinstance(record, Fault) and "".join(record[1]).strip() for record in records)


def _check_directory(file: IO[bytes]) -> None:
    """Refuse a central directory that would fill memory before a single part is looked at.

    End of central directory: PKWARE APPNOTE 4.3.16. The 64-bit form is for archives no workbook needs.
    """
    size = file.seek(0, 2)
    file.seek(max(size - 65_557, 0))
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) - end < 22 or tail[max(end - 20, 0) : end].startswith(b"PK\x06\x07"):
        raise Damaged
    if struct.unpack_from("<L", tail, end + 12)[0] > _DIRECTORY:
        raise Damaged
    file.seek(0)
