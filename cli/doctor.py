"""``hgrip doctor``: whether everything a run needs is there, and the command that mends what is not."""

import asyncio

from rich.table import Table

import settings as configuration
from cli import doctor_here, doctor_temporal
from cli.doctor_findings import Check, Found, Ground, State
from cli.terminal import AsJson, ExitCode, Lang, chosen, console, print_json
from schemas.errors import Refusal
from schemas.texts import Text
from settings import Settings, SettingsError
from store.database import connect as connect_database
from wire.client import TemporalUnreachableError
from wire.client import connect as connect_temporal
from wire.keys import KeysError

PATIENCE = 20
"""Seconds for one check."""
MARKS: dict[State, str] = {"works": "[green]✓[/]", "attention": "[yellow]![/]", "failed": "[red]✗[/]"}
SETTINGS = Text("设置", "settings")
TEMPORAL = Text("Temporal", "Temporal")

Told = tuple[str, Text, Found]
"""Name and title of a check, and what it found."""


def doctor(as_json: AsJson = False, language: Lang = "zh") -> None:
    """检查运行所需的一切，并给出修复命令 / Check all that a run needs, and say the command that mends it."""
    try:
        settings = configuration.load()
    except SettingsError as error:
        zh, _, en = str(error).partition(" / ")
        told = [("settings", SETTINGS, Found("failed", Text(zh, en), "HGRIP_ENV_FILE, HGRIP_*"))]
    else:
        told = asyncio.run(examined(settings))
    if as_json:
        print_json([_as_json(name, found) for name, _, found in told])
    else:
        _print(told, language)
    if any(found.state == "failed" for _, _, found in told):
        raise SystemExit(ExitCode.FOUND)


async def examined(settings: Settings) -> list[Told]:
    """Every check, one after the other: a few of them load the machine."""
    ground = Ground(settings, connect_database(settings.database_url.get_secret_value(), pool_size=1))
    told = [("settings", SETTINGS, Found("works", Text("齐全", "complete")))]
    told += [await _told(check, ground) for check in doctor_here.CHECKS]
    try:
        ground.temporal = await connect_temporal(settings)
    except (TemporalUnreachableError, KeysError) as error:
        zh, _, en = str(error).partition(" / ")
        told.append(("temporal", TEMPORAL, Found("failed", Text(zh, en), "systemctl start temporal")))
    else:
        told += [await _told(check, ground) for check in doctor_temporal.CHECKS]
    ground.engine.dispose()
    return told


async def _told(check: Check, ground: Ground) -> Told:
    """What one check found; what it raises is told by its kind, without values."""
    try:
        found = await asyncio.wait_for(check.look(ground), PATIENCE)
    except Refusal as refusal:
        found = Found("failed", refusal.error.title, check.mend)
    except Exception as error:
        kind = type(error).__name__
        found = Found("failed", Text(f"无法查看（{kind}）", f"cannot be looked at ({kind})"), check.mend)
    return check.name, check.title, found


def _print(told: list[Told], language: str) -> None:
    table = Table(box=None, show_header=False)
    for _, title, found in told:
        words = [chosen(text, "zh" if language == "zh" else "en") for text in (title, found.told)]
        table.add_row(MARKS[found.state], *words, found.mend and f"→ {found.mend}")
    console.print(table)


def _as_json(name: str, found: Found) -> dict[str, object]:
    return {"check": name, "state": found.state, "zh": found.told.zh, "en": found.told.en, "mend": found.mend}
