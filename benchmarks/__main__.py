"""``make bench``: measure, print a table, write ``var/bench.json``.

``python -m benchmarks [group …]`` measures only these groups.
"""

import asyncio
import json
import os
import platform
import subprocess
import time
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles

from rich.console import Console
from rich.table import Column, Table

from benchmarks import (
    audit,
    backups,
    codec,
    delegation,
    eligibility,
    engine,
    legacy,
    operators,
    uploads,
    views,
)
from benchmarks.ground import Ground, prepared
from benchmarks.rows import Row
from embedded.platform import REPOSITORY

GROUPS: dict[str, Callable[[Ground], Awaitable[list[Row]]]] = {
    "audit": audit.measure,
    "backups": backups.measure,
    "codec": codec.measure,
    "delegation": delegation.measure,
    "eligibility": eligibility.measure,
    "engine": engine.measure,
    "legacy": legacy.measure,
    "operators": operators.measure,
    "uploads": uploads.measure,
    "views": views.measure,
}
FOLDER = REPOSITORY / "var"
LOOPS = 40
"""Fixed CPU loops between two groups."""

console = Console(highlight=False, soft_wrap=True, width=120)


async def main(names: list[str]) -> None:
    """Measure the named groups."""
    started = time.monotonic()
    rows: list[Row] = []
    loops = _cpu_loops()
    async with prepared(FOLDER / "bench") as ground:
        for name in names:
            began = time.monotonic()
            rows += await GROUPS[name](ground)
            console.print(f"{name}: {time.monotonic() - began:.0f} s")
            loops += _cpu_loops()
    rows.append(_noise(loops))
    machine = _machine() | {"seconds": round(time.monotonic() - started)}
    (FOLDER / "bench.json").write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    (FOLDER / "bench-machine.json").write_text(json.dumps(machine, indent=1) + "\n")
    _print(rows, machine)


def _cpu_loops() -> list[float]:
    """Seconds of a loop that always does the same: what differs is the machine."""
    seconds = []
    for _ in range(LOOPS):
        started = time.perf_counter()
        sum(range(500_000))
        seconds.append(time.perf_counter() - started)
    return seconds


def _noise(loops: list[float]) -> Row:
    noise = quantiles(loops, n=20)[18] / median(loops)
    what = "machine noise: p95 ÷ p50 of a fixed loop over the whole run"
    return Row("cpu_noise", what, noise, "ratio", floor=1, n=len(loops))


def _machine() -> dict[str, object]:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(REPOSITORY), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    models = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    return {
        "commit": git("rev-parse", "--short=12", "HEAD") or "unknown",
        "changed": bool(git("status", "--porcelain", "--untracked-files=no")),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": models[0].partition(":")[2].strip() if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "python": platform.python_version(),
        "load_average": os.getloadavg(),
    }


def _print(rows: list[Row], machine: dict[str, object]) -> None:
    titles = ("id", "value", "95 %", "floor", "goal", "")
    table = Table(*(Column(title, no_wrap=True) for title in titles))
    for row in rows:
        table.add_row(
            row.id,
            f"{_figure(row.value)} {row.unit}",
            "–".join(map(_figure, row.spread or ())),
            "" if row.floor is None else _figure(row.floor),
            "" if row.goal is None else f"{'≤' if row.better == 'lower' else '≥'} {_figure(row.goal)}",
            "" if row.goal is None else "[red]MISSED[/]" if row.missed else "[green]met[/]",
        )
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in machine.items()))
    missed = [row.id for row in rows if row.missed]
    console.print(f"Missed: {', '.join(missed)}" if missed else "Every goal is met.")


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:.3g}"


def _named() -> list[str]:
    parser = ArgumentParser("python -m benchmarks", description="测量性能 / Measure, write var/bench.json.")
    parser.add_argument("group", nargs="*", help=f"只测这些组 / only these groups: {', '.join(GROUPS)}")
    named: list[str] = parser.parse_args().group
    if unknown := [name for name in named if name not in GROUPS]:
        parser.error(f"没有这些组 / no such groups: {', '.join(unknown)}; {', '.join(GROUPS)}")
    return named or list(GROUPS)


if __name__ == "__main__":
    asyncio.run(main(_named()))
