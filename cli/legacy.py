"""``hgrip legacy import | show``: backups of the old platform."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from sqlalchemy import Engine

import settings as configuration
from cli.terminal import AsJson, ExitCode, Workbench, console, errors, fail, print_json
from manifests.reader import UnreadableFile, fault_sentence
from schemas.texts import Text
from settings import Settings
from store import legacy_import
from store.database import connect, reading
from store.encryption import ColumnCipher
from store.legacy import import_faults, standing
from store.legacy_faults import sentence
from store.legacy_import import Import, ImportRunningError
from store.legacy_rows import HEADERS, MissingColumns
from store.releases import Rulebooks
from wire.keys import KeyRing

app = typer.Typer(cls=Workbench, no_args_is_help=True, help="原备份 / Legacy backups")

ReportOption = Annotated[
    Path | None,
    typer.Option("--report", help="未导入的行写入此文件 / Where to tell of rows that were not imported"),
]


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="原系统导出的 CSV 或 XLSX / Export of the old platform")],
    report: ReportOption = None,
    as_json: AsJson = False,
) -> None:
    """导入原备份；中断后再运行一次即可继续 / Import legacy backups; after an interruption, run it again."""
    settings = configuration.load()
    with _connected(settings) as engine:
        state = _import(engine, settings, file)
        path = report or file.with_name(f"{file.name}.faults.csv")
        if state.tally.faulty:
            _write_report(engine, state.digest, path)
    if as_json:
        told = str(path) if state.tally.faulty else None
        print_json({"digest": state.digest, **asdict(state.tally), "report": told})
    else:
        _print(state, path)
    raise typer.Exit(ExitCode.FOUND if state.tally.faulty else ExitCode.OK)


@app.command()
def show(as_json: AsJson = False) -> None:
    """原备份的现状：只有数目，没有个人信息 / Where legacy backups stand: counts, no persons."""
    with _connected(configuration.load()) as engine, reading(engine) as reader:
        found = standing(reader)
    if as_json:
        print_json(found._asdict())
        return
    for name, (zh, en) in _WORDS.items():
        console.print(f"{getattr(found, name):>10,}  {zh} / {en}", markup=False)


_WORDS = {
    "registrants": Text("原系统注册人", "legacy registrants"),
    "held": Text("已归入或认领的备份", "backups attributed or claimed"),
    "unheld": Text("尚无人持有的备份", "backups that nobody holds yet"),
    "drafts": Text("草稿（不能认领）", "drafts, which cannot be claimed"),
    "imports": Text("导入过的文件", "files imported"),
    "unfinished": Text("其中未完成的", "of these unfinished"),
}


@contextmanager
def _connected(settings: Settings) -> Iterator[Engine]:
    engine = connect(settings.database_url.get_secret_value(), pool_size=2)
    try:
        yield engine
    finally:
        engine.dispose()


def _import(engine: Engine, settings: Settings, file: Path) -> Import:
    with reading(engine) as reader:
        release = Rulebooks(settings.rule_signers).in_force(reader, datetime.now(UTC)).release
    try:
        rules = release.procedure("claiming").matching
    except KeyError:
        what = Text("生效的规则版本没有 claiming.yaml。", "the release in force has no claiming.yaml.")
        fail(ExitCode.NOT_FOUND, what)
    cipher = ColumnCipher(KeyRing.load(settings.keys_file))
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    try:
        with Progress(*columns, console=errors) as progress:
            task = progress.add_task("导入 / Importing", total=_lines(file))
            return legacy_import.import_file(
                engine,
                cipher,
                rules,
                file,
                lambda state: progress.update(task, completed=state.line),
            )
    except UnreadableFile as unreadable:
        fault = unreadable.fault
        fail(ExitCode.FOUND, Text(fault_sentence(fault, "zh"), fault_sentence(fault, "en")))
    except MissingColumns as missing:
        names = "; ".join(HEADERS[field][0] + " / " + field for field in missing.fields)
        fail(
            ExitCode.FOUND,
            Text(f"第一行中缺少这些列：{names}", f"the first line lacks these columns: {names}"),
        )
    except ImportRunningError:
        fail(ExitCode.CONFLICT, Text("另一次导入正在进行。", "another import is at work."))


def _lines(file: Path) -> int | None:
    """Lines of a text file, to measure progress by; None for a workbook."""
    with file.open("rb") as opened:
        if opened.read(2) == b"PK":
            return None
        return sum(part.count(b"\n") for part in iter(lambda: opened.read(1 << 20), b""))


def _write_report(engine: Engine, digest: str, path: Path) -> None:
    """Line, column, code and what to do; with a mark at its beginning, so that spreadsheets read Chinese."""
    with reading(engine) as reader, path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["行 line", "列 column", "代码 code", "说明", "explanation"])
        for fault in import_faults(reader, digest):
            words = sentence(fault.code, fault.facts)
            writer.writerow([fault.line, fault.column or "", fault.code, words.zh, words.en])


def _print(state: Import, report: Path) -> None:
    tally = state.tally
    if state.resumed:
        console.print(
            "此文件先前导入过，以下为合计 / This file was begun before; these are its totals", style="dim"
        )
    console.print(f"{tally.imported:>10,}  个备份已导入 / backups imported")
    console.print(f"{tally.drafts:>10,}  个草稿，不能认领 / drafts, which cannot be claimed")
    console.print(f"{tally.repeated:>10,}  行先前已有 / rows that were there before")
    console.print(f"{tally.faulty:>10,}  行未导入 / rows not imported")
    if tally.faulty:
        console.print(f"说明见 / Told in: {report}", markup=False)
