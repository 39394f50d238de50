"""``hgrip schedules``: what the platform does by the clock."""

import asyncio
from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table

import settings as configuration
from cli.terminal import AsJson, ExitCode, Workbench, console, errors, print_json
from settings import Settings
from wire.client import connect
from workflows import schedules
from workflows.schedules import SCHEDULES, Change, Standing

app = typer.Typer(cls=Workbench, no_args_is_help=True, help="定时任务 / Schedules")

CHANGES: dict[Change, str] = {
    "created": "新建 / created",
    "updated": "更新 / updated",
    "unchanged": "未变 / unchanged",
    "removed": "删除 / removed",
}


def put_in_place(settings: Settings) -> dict[str, Change]:
    """Make the schedules in Temporal those of this version; what was done, by name."""

    async def put() -> dict[str, Change]:
        return await schedules.apply(await connect(settings), settings.task_queue)

    return asyncio.run(put())


@app.command()
def apply(as_json: AsJson = False) -> None:
    """使 Temporal 中的定时任务与本版本一致，可重复执行 / Make Temporal's schedules those of this version."""
    done = put_in_place(configuration.load())
    if as_json:
        print_json(done)
        return
    for name, change in done.items():
        console.print(f"{name}: {CHANGES[change]}", markup=False)


@app.command(name="list")
def list_(
    as_json: AsJson = False,
    wide: Annotated[bool, typer.Option("--wide", help="显示上次运行 / With the last run")] = False,
) -> None:
    """列出定时任务，不一致时退出码为 1 / List the schedules; exit code 1 where one is not as declared."""
    settings = configuration.load()

    async def look() -> list[Standing]:
        return await schedules.standing(await connect(settings), settings.task_queue)

    found = asyncio.run(look())
    if as_json:
        print_json([_as_json(each) for each in found])
    else:
        _print(found, wide=wide)
    if not all(each.as_declared for each in found):
        errors.print("请运行 hgrip schedules apply / Run hgrip schedules apply", style="red")
        raise typer.Exit(ExitCode.FOUND)


def _print(found: list[Standing], *, wide: bool) -> None:
    columns = [
        "名称 / name",
        "状态 / state",
        "下次 / next",
        *(["上次 / last"] if wide else []),
        "作用 / what",
    ]
    table = Table(*columns, box=None)
    for declared, each in zip(SCHEDULES, found, strict=True):
        last = [_moment(each.last_at)] if wide else []
        what = f"{declared.what.zh} / {declared.what.en}"
        table.add_row(each.name, _state(each), _moment(each.next_at), *last, what)
    console.print(table)


def _state(each: Standing) -> str:
    if not each.as_declared:
        return "[red]缺失或不一致 / not as declared[/]"
    if each.paused:
        return "[yellow]已暂停 / paused[/]"
    return "运行中 / running" if each.running else "正常 / waits"


def _moment(at: datetime | None) -> str:
    return f"{at.astimezone():%m-%d %H:%M:%S}" if at else "–"


def _as_json(each: Standing) -> dict[str, object]:
    at = {"next_at": each.next_at, "last_at": each.last_at}
    return {**each._asdict(), **{name: moment and moment.isoformat() for name, moment in at.items()}}
