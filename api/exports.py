"""A unit's backups as a table for spreadsheets, CSV or XLSX; memory does not grow with its length."""

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import IO, Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from starlette.responses import StreamingResponse

from api.bodies import StrictRoute
from api.platform import Platform, PlatformDep
from api.unit_views import FiltersDep, Names, Scope, ScopeDep, backup_view
from store import search
from store.database import reading
from store.search import Filters

router = APIRouter(prefix="/v1/unit", tags=["unit"], route_class=StrictRoute)

CHINA = ZoneInfo("Asia/Shanghai")
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
HEADER = (
    "备份编号 Backup number",
    "状态 State",
    "项目名称 Project title",
    "信息类型 Categories",
    "数据文件数 Data files",
    "委托人 Delegate",
    "创建时间 Created (UTC+8)",
    "保存时间 Saved (UTC+8)",
    "版本 Version",
)
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
"""What spreadsheets take for the beginning of a formula (OWASP, CSV injection)."""
_BLOCK = 64 * 1024


@router.get(
    "/backups/export",
    operation_id="exportUnitBackups",
    summary="导出本单位备份 / Export the unit's backups",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {
                media.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}}
                for media in MEDIA_TYPES.values()
            }
        }
    },
)
def export_unit_backups(
    where: ScopeDep,
    filters: FiltersDep,
    platform: PlatformDep,
    kind: Annotated[
        Literal["csv", "xlsx"], Query(alias="format", description="文件格式 / Format of the file")
    ] = "csv",
) -> StreamingResponse:
    """All backups that the list with the same filters shows, as of one instant."""
    rows = _rows(platform, where, filters)
    content = _csv(rows) if kind == "csv" else _xlsx(rows)
    headers = {"Content-Disposition": f'attachment; filename="backups.{kind}"'}
    return StreamingResponse(content, media_type=MEDIA_TYPES[kind], headers=headers)


def _rows(platform: Platform, where: Scope, filters: Filters) -> Iterator[list[str | int]]:
    names = Names(platform.cipher, where.masked)
    with reading(platform.engine) as reader:
        for row in search.every_backup(reader, where.unit_code, filters):
            view = backup_view(names, row)
            yield [
                _safe(view.number),
                view.state,
                _safe(view.title),
                " ".join(view.categories),
                view.data_files,
                _safe(view.delegate_name),
                _time(view.created_at),
                _time(view.saved_at),
                view.version,
            ]


def _safe(text: str | None) -> str:
    """Text that no spreadsheet runs: an apostrophe before what would begin a formula."""
    shown = ILLEGAL_CHARACTERS_RE.sub("\N{REPLACEMENT CHARACTER}", text or "")
    return f"'{shown}" if shown.lstrip(" ").startswith(_FORMULA) else shown


def _time(at: datetime) -> str:
    return at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")


def _csv(rows: Iterable[list[str | int]]) -> Iterator[bytes]:
    """RFC 4180, with the mark by which spreadsheets know UTF-8."""
    lines = io.StringIO("\ufeff", newline="")
    lines.seek(0, io.SEEK_END)
    writer = csv.writer(lines, quoting=csv.QUOTE_ALL)
    writer.writerow(HEADER)
    for row in rows:
        writer.writerow(row)
        if lines.tell() > _BLOCK:
            yield lines.getvalue().encode()
            lines.seek(0)
            lines.truncate()
    yield lines.getvalue().encode()


def _xlsx(rows: Iterable[list[str | int]]) -> Iterator[bytes]:
    """Written to a file row by row: its table of contents comes last, so that it can be sent only then."""
    book = Workbook(write_only=True)
    sheet: Any = book.create_sheet("backups")
    sheet.append(HEADER)
    for row in rows:
        sheet.append(row)
    with tempfile.TemporaryFile() as file:
        book.save(file)
        file.seek(0)
        yield from _blocks(file)


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block
