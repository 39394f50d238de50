"""What the commands of ``hgrip rules`` share: options, exit codes, and how a fault ends a command."""

import json
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from sqlalchemy.exc import OperationalError
from typer.core import TyperGroup

from rules.engine.acts import ReleaseRefused
from rules.engine.faults import RulebookError
from rules.engine.load import load_rulebook
from rules.engine.release import Release
from rules.engine.signing import SignersError
from schemas.errors import Refusal
from schemas.texts import Language, Text
from settings import SettingsError
from store.database import Reader
from store.releases import find
from wire.keys import KeysError


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    FOUND = 1
    USAGE = 2
    NOT_FOUND = 3
    CONFLICT = 4
    REFUSED = 5
    DOWN = 6


MEANINGS: dict[ExitCode, Text] = {
    ExitCode.OK: Text("完成，没有问题", "done, nothing is wrong"),
    ExitCode.FOUND: Text(
        "查出问题：规则有错、记录被拒绝、判断会变", "problems found: faults, a refusal, changes"
    ),
    ExitCode.USAGE: Text("命令写法不对", "the command is not written right"),
    ExitCode.NOT_FOUND: Text("没有所说的文件、规则版本或名称", "no such file, release or name"),
    ExitCode.CONFLICT: Text("与现有内容冲突", "in conflict with what is there"),
    ExitCode.REFUSED: Text("不允许", "not allowed"),
    ExitCode.DOWN: Text("数据库不可用，或没有配置", "the database is down, or not configured"),
}

Lang = Annotated[Language, typer.Option("--lang", envvar="HGRIP_LANG", help="语言 / Language: zh, en")]
AsJson = Annotated[bool, typer.Option("--json", help="输出 JSON / Print JSON")]
Folder = Annotated[Path, typer.Argument(help="规则文件目录 / Folder of rule files")]
FolderOption = Annotated[Path, typer.Option("--rules", help="规则文件目录 / Folder of rule files")]

console = Console(highlight=False, soft_wrap=True)
"""Answers; colours go away where the output is no terminal, or with NO_COLOR."""
errors = Console(highlight=False, soft_wrap=True, stderr=True)
"""Progress and what went wrong."""


class Workbench(TyperGroup):
    """Ends every command with a sentence and its exit code, never with a traceback."""

    def invoke(self, context: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(context)
        except RulebookError as error:
            tell_faults(error)
            raise typer.Exit(ExitCode.FOUND) from None
        except FileNotFoundError as error:
            fail(
                ExitCode.NOT_FOUND, Text(f"没有这个文件：{error.filename}", f"no such file: {error.filename}")
            )
        except OperationalError:
            fail(
                ExitCode.DOWN,
                Text("数据库连不上。请先启动平台（hgrip run）。", "No database. Start hgrip run first."),
            )
        except (KeysError, SettingsError, SignersError) as error:
            errors.print(str(error), style="red", markup=False)
            raise typer.Exit(ExitCode.DOWN) from None
        except ReleaseRefused as refused:
            code = ExitCode.NOT_FOUND if refused.code == "unknown_release" else ExitCode.REFUSED
            errors.print(str(refused), style="red", markup=False)
            raise typer.Exit(code) from None
        except Refusal as refusal:
            errors.print(f"{refusal.error.title.zh} / {refusal.error.title.en}", style="red", markup=False)
            raise typer.Exit(ExitCode.REFUSED) from None


def fail(code: ExitCode, what: Text) -> NoReturn:
    """End the command with a sentence in both languages."""
    errors.print(f"{what.zh} / {what.en}", style="red", markup=False)
    raise typer.Exit(code)


def tell_faults(error: RulebookError, language: Language | None = None) -> None:
    """Every fault of the rule files, one line each; in both languages where none was chosen."""
    for fault in error.faults:
        for spoken in (language,) if language else ("zh", "en"):
            console.print(fault.sentence(spoken), style="red", markup=False)


def print_json(value: Any) -> None:
    """Print an answer for programs."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def chosen(text: Text, language: Language) -> str:
    """The words in one language."""
    return text.zh if language == "zh" else text.en


def named(reader: Reader | None, name: str) -> Release:
    """A working copy by its folder, or a stored release by its version or digest.

    Raises:
        RulebookError: The folder's files do not make a release.
        ReleaseRefused: There is no such release.
    """
    if Path(name).is_dir() or reader is None:
        return load_rulebook(Path(name))
    return find(reader, name)
