"""``hgrip sms``: the text messages that the inbox shows instead of sending them."""

import json
import time
from collections.abc import Iterable
from typing import Annotated

import typer
from sqlalchemy import Engine

import settings as configuration
from cli.terminal import ExitCode, Workbench, console, errors, fail
from schemas.texts import Text
from store import sms
from store.database import connect, reading

app = typer.Typer(cls=Workbench, no_args_is_help=True, help="短信 / Text messages")

EVERY = 0.5
"""Seconds between two looks of ``--watch``."""


@app.callback()
def commands() -> None:
    """短信 / Text messages."""  # keeps the command's name: Typer drops that of an only command


@app.command()
def inbox(
    watch: Annotated[bool, typer.Option("--watch", help="持续显示新短信 / Go on with new ones")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="最多条数 / How many at most")] = 20,
    as_json: Annotated[
        bool, typer.Option("--json", help="每条一行 JSON / One line of JSON for each")
    ] = False,
) -> None:
    """显示短信收件箱，最新在前（仅限开发环境） / Show the inbox, newest first; for development only."""
    settings = configuration.load()
    if settings.sms_carrier != "inbox":
        fail(
            ExitCode.NOT_FOUND,
            Text(
                f"短信由 {settings.sms_carrier} 发出，没有收件箱。",
                f"messages are sent by {settings.sms_carrier}; there is no inbox.",
            ),
        )
    errors.print("仅限开发环境：短信不会发出 / Development only: messages are not sent", style="yellow")
    engine = connect(settings.database_url.get_secret_value(), pool_size=1)
    try:
        messages = _messages(engine, limit)
        _print(messages, as_json=as_json)
        while watch:
            time.sleep(EVERY)
            known = {message.id for message in messages}
            messages = _messages(engine, limit)
            new = [message for message in messages if message.id not in known]
            _print(reversed(new), as_json=as_json)
    except KeyboardInterrupt:
        pass
    finally:
        engine.dispose()


def _messages(engine: Engine, limit: int) -> list[sms.Shown]:
    with reading(engine) as reader:
        return sms.shown(reader, limit)


def _print(messages: Iterable[sms.Shown], *, as_json: bool) -> None:
    """One line of JSON each, so that a program can follow; or for people."""
    for message in messages:
        if as_json:
            line = {**message._asdict(), "id": str(message.id), "arrived_at": message.arrived_at.isoformat()}
            typer.echo(json.dumps(line, ensure_ascii=False))
        else:
            moment = message.arrived_at.astimezone()
            console.print(f"{moment:%Y-%m-%d %H:%M:%S} → {message.phone}", style="dim", markup=False)
            console.print(f"  {message.text}", markup=False)
