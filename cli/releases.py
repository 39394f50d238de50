"""Releases on the command line: proposed, approved and dated by different people (``hgrip rules …``)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.table import Table

import settings as configuration
from cli.rules_check import RULES, examined
from cli.terminal import LANGUAGES, AsJson, ExitCode, Folder, console, print_json
from rules.engine.acts import Act, china_day, next_version
from rules.engine.release import Release
from rules.engine.signing import Signers, SigningKey
from store.database import Reader, Writer, connect, reading, writing
from store.publication import ReleaseDesk, rollback
from store.releases import Entry, Status, entries, find

STATUSES: dict[Status, str] = {
    "proposed": "待批准 / proposed",
    "approved": "已批准 / approved",
    "scheduled": "待生效 / scheduled",
    "in_force": "生效中 / in force",
    "superseded": "已被取代 / superseded",
    "withdrawn": "已撤回 / withdrawn",
    "untrusted": "不可信 / untrusted",
}

KeyFile = Annotated[
    Path, typer.Option("--key", envvar="HGRIP_RULE_KEY", help="签名私钥文件 / File of your private key")
]
Named = Annotated[str, typer.Argument(help="版本号或摘要 / Version or digest")]
Day = Annotated[
    datetime | None,
    typer.Option("--from", formats=["%Y-%m-%d"], help="生效日（北京时间） / First day it judges, in China"),
]


class _Desk(NamedTuple):
    """What an act needs."""

    writer: Writer
    hand: ReleaseDesk


@contextmanager
def _signing(key: Path) -> Iterator[_Desk]:
    """One transaction and one signer."""
    settings = configuration.load()
    hand = ReleaseDesk(Signers.load(settings.rule_signers), SigningKey.load(key))
    engine = connect(settings.database_url.get_secret_value(), pool_size=1)
    try:
        with writing(engine) as writer:
            yield _Desk(writer, hand)
    finally:
        engine.dispose()


def publish(
    key: KeyFile,
    folder: Folder = RULES,
) -> None:
    """起草人提出新版本，待另一人批准 / Propose the rule files as a release; another person approves it."""
    release = checked(folder)
    with _signing(key) as desk:
        new = desk.hand.propose(desk.writer, release)
    _tell(
        release,
        "已提出，待审批人批准" if new else "该版本已在库中",
        "proposed" if new else "is there already",
    )


def approve(named: Named, key: KeyFile) -> None:
    """审批人批准他人提出的版本 / Approve what another proposed; see it with show and diff first."""
    with _signing(key) as desk:
        release = find(desk.writer, named)
        desk.hand.approve(desk.writer, release.digest)
    _tell(release, "已批准，请用 schedule 定生效日", "approved; set its day with schedule")


def schedule(named: Named, key: KeyFile, day: Day = None) -> None:
    """审批人定（或改）生效日 / Set or move the day a release takes effect; workers need no restart."""
    with _signing(key) as desk:
        release = find(desk.writer, named)
        chosen = desk.hand.schedule(desk.writer, release.digest, day.date() if day else None)
    _tell(release, f"自 {chosen} 起生效（北京时间）", f"judges from {chosen} on (Asia/Shanghai)")


def withdraw(named: Named, key: KeyFile) -> None:
    """在生效前撤回 / Take a release back before it takes effect."""
    with _signing(key) as desk:
        release = find(desk.writer, named)
        desk.hand.withdraw(desk.writer, release.digest)
    _tell(release, "已撤回", "withdrawn")


def rollback_(
    named: Named,
    key: KeyFile,
    version: Annotated[str | None, typer.Option("--as", help="新版本号 / The new version")] = None,
    day: Day = None,
) -> None:
    """以新版本恢复旧规则，仍须批准和定日 / Propose earlier rules anew, under a new version."""
    with _signing(key) as desk:
        today = china_day(datetime.now(UTC))
        declared = day.date() if day else today
        taken = [entry.version for entry in _entries()]
        earlier = find(desk.writer, named)
        new_version = version or next_version(taken, today)
        release = rollback(desk.writer, desk.hand, earlier, new_version, declared)
    _tell(
        release, f"以 {earlier.version} 的规则提出，待批准", f"proposed with the rules of {earlier.version}"
    )


def list_(as_json: AsJson = False) -> None:
    """列出规则版本及其状态 / List releases and their status."""
    found = _entries()
    if as_json:
        print_json([_as_json(entry) for entry in found])
        return
    table = Table(box=None)
    for column in ("版本 / version", "状态 / status", "生效日 / from", "摘要 / digest", "签署 / signed by"):
        table.add_column(column, overflow="fold")
    for entry in found:
        signers = "、".join(f"{signed.act.kind} {signed.act.signer}" for signed in entry.acts)
        day = str(entry.effective_from or "")
        table.add_row(entry.version, STATUSES[entry.status], day, entry.digest[:12], signers)
    console.print(table)


def show(named: Named, as_json: AsJson = False) -> None:
    """显示一个规则版本的签署过程 / Show who signed a release, when, for which day."""
    with reading_settings() as reader:
        digest = find(reader, named).digest
    entry = next(entry for entry in _entries() if entry.digest == digest)
    if as_json:
        print_json(_as_json(entry))
        return
    console.print(f"{entry.version}  {STATUSES[entry.status]}", f"SHA-256 {entry.digest}", sep="\n")
    for act, _ in entry.acts:
        console.print(told(act), markup=False)


def told(act: Act) -> str:
    """One act in one line."""
    more = f" → {act.effective_from}" if act.effective_from else ""
    more += f" ← {act.restores[:12]}" if act.restores else ""
    return (
        f"  {act.sequence}. {act.kind:<9} {act.signer}  {act.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC{more}"
    )


def checked(folder: Path) -> Release:
    """A folder's release in which `check` finds nothing; else what it finds is told, and the command ends.

    Raises:
        typer.Exit: With `ExitCode.FOUND`.
    """
    found = examined(folder)
    if found.release is None or found.faults or found.failures:
        for line in (line for language in LANGUAGES for line in found.sentences(language)):
            console.print(line, style="red", markup=False)
        raise typer.Exit(ExitCode.FOUND)
    return found.release


@contextmanager
def reading_settings() -> Iterator[Reader]:
    """A reader of the configured database."""
    engine = connect(configuration.load().database_url.get_secret_value(), pool_size=1)
    try:
        with reading(engine) as reader:
            yield reader
    finally:
        engine.dispose()


def _entries() -> list[Entry]:
    signers = Signers.load(configuration.load().rule_signers)
    with reading_settings() as reader:
        return entries(reader, signers, datetime.now(UTC))


def _as_json(entry: Entry) -> dict[str, Any]:
    return {
        "version": entry.version,
        "digest": entry.digest,
        "status": entry.status,
        "effective_from": entry.effective_from.isoformat() if entry.effective_from else None,
        "acts": [signed.as_json() for signed in entry.acts],
    }


def _tell(release: Release, chinese: str, english: str) -> None:
    console.print(f"{release.version} {chinese} / {english}\n  SHA-256 {release.digest}", markup=False)


COMMANDS: dict[str, Callable[..., None]] = {
    "publish": publish,
    "approve": approve,
    "schedule": schedule,
    "withdraw": withdraw,
    "rollback": rollback_,
    "list": list_,
    "show": show,
}


def register(app: typer.Typer) -> None:
    """Add the commands to ``hgrip rules``."""
    for name, command in COMMANDS.items():
        app.command(name)(command)
