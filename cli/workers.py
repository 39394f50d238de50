"""``hgrip workers``: which workers there are, what they run, how busy they are, and what waits for them."""

import asyncio
from datetime import UTC, datetime

from rich.table import Table

import settings as configuration
from cli.terminal import AsJson, ExitCode, console, fail, print_json
from schemas.texts import Text
from wire import workers
from wire.client import TemporalUnreachableError, connect
from wire.workers import Queue, WorkerSeen


def list_workers(as_json: AsJson = False) -> None:
    """列出 worker 的版本、占用和积压 / List the workers: versions, slots, and the backlog."""
    settings = configuration.load()

    async def look() -> tuple[list[WorkerSeen], list[Queue]]:
        client = await connect(settings)
        seen = await workers.seen(client, settings.task_queue, datetime.now(UTC))
        return seen, await workers.queues(client, settings.task_queue)

    try:
        seen, queues = asyncio.run(look())
    except TemporalUnreachableError as error:
        zh, _, en = str(error).partition(" / ")
        fail(ExitCode.DOWN, Text(zh, en))
    if as_json:
        print_json({"workers": [_worker(each) for each in seen], "queues": [_queue(each) for each in queues]})
    else:
        _print(seen, queues)
    if not all(queue.pollers for queue in queues):
        fail(ExitCode.FOUND, Text("没有 worker 在轮询，请运行 hgrip worker", "no worker polls: hgrip worker"))


def _print(seen: list[WorkerSeen], queues: list[Queue]) -> None:
    kinds = ("workflow", "activity", "local activity")
    columns = ("worker", "版本 / build", "SDK", "启动 / since", "心跳 / heard", *kinds)
    table = Table(*columns, box=None, title="占用/空闲 used/free", title_justify="right")
    for worker in seen:
        slots = [f"{worker.slots[kind].used}/{worker.slots[kind].free}" for kind in kinds]
        at = [f"{moment.astimezone():%m-%d %H:%M:%S}" for moment in (worker.started_at, worker.heard_at)]
        table.add_row(worker.identity, worker.build_id, worker.sdk, *at, *slots)
    console.print(table)
    for queue in queues:
        console.print(
            f"{queue.kind}: 轮询 / pollers {len(queue.pollers)}，积压 / backlog {queue.backlog}，"
            f"最早已等待 / first waits {queue.waited.total_seconds():.0f} s",
            markup=False,
        )
    if len({worker.build_id for worker in seen}) > 1:
        console.print("[yellow]worker 的代码版本不一致 / the workers run different versions of the code[/]")


def _worker(seen: WorkerSeen) -> dict[str, object]:
    moments = {"started_at": seen.started_at.isoformat(), "heard_at": seen.heard_at.isoformat()}
    return {**seen._asdict(), **moments, "slots": {kind: each._asdict() for kind, each in seen.slots.items()}}


def _queue(queue: Queue) -> dict[str, object]:
    polled = queue.polled_at.isoformat() if queue.polled_at else None
    return {**queue._asdict(), "polled_at": polled, "waited": queue.waited.total_seconds()}
