"""What the commands of ``hgrip rules`` share: options, exit codes, and how a fault ends a command."""

import json
import re
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from sqlalchemy.exc import OperationalError
from typer.core import TyperGroup

from rules.engine.acts import ReleaseRefused
from rules.engine.bundle import BundleError
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
    ExitCode.DOWN: Text(
        "数据库不可用，或设置、密钥文件缺失或有误",
        "the database is down, or settings or key files are missing or wrong",
    ),
}

_RELEASE = re.compile(r"[0-9]{4}\.[0-9]{1,2}\.[0-9]+|[0-9a-f]{8,64}")
_REFUSALS = {
    "unknown_release": ExitCode.NOT_FOUND,
    "version_taken": ExitCode.CONFLICT,
    "wrong_order": ExitCode.CONFLICT,
}
"""Acts on releases that are refused; any other ends with `ExitCode.REFUSED`."""

Lang = Annotated[Language, typer.Option("--lang", envvar="HGRIP_LANG", help="语言 / Language: zh, en")]
AsJson = Annotated[bool, typer.Option("--json", help="输出 JSON / Print JSON")]

LANGUAGES: tuple[Language, ...] = ("zh", "en")

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
        except OSError as error:
            if error.filename is None:
                raise
            fail(
                ExitCode.NOT_FOUND,
                Text(
                    f"无法读写 {error.filename}。请检查它是否是普通文件、有没有权限。",
                    f"{error.filename} cannot be read or written. Check that it is a plain file you may use.",
                ),
            )
        except OperationalError:
            fail(
                ExitCode.DOWN,
                Text(
                    "无法连接 PostgreSQL。请检查它是否运行，或先启动平台（hgrip run）。",
                    "PostgreSQL cannot be reached. Check that it runs, or start hgrip run first.",
                ),
            )
        except (KeysError, SettingsError, SignersError) as error:
            _end(ExitCode.DOWN, str(error))
        except ReleaseRefused as refused:
            _end(_REFUSALS.get(refused.code, ExitCode.REFUSED), str(refused))
        except BundleError as error:
            _end(ExitCode.REFUSED, str(error))
        except Refusal as refusal:
            fail(ExitCode.REFUSED, refusal.error.title)


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        fail(ExitCode.NOT_FOUND, Text(f"没有目录 {folder}", f"no folder {folder}"))
    return folder


_FOLDER = "规则文件目录 / Folder of rule files"
Folder = Annotated[Path, typer.Argument(help=_FOLDER, callback=_existing)]
FolderOption = Annotated[Path, typer.Option("--rules", help=_FOLDER, callback=_existing)]


def fail(code: ExitCode, what: Text) -> NoReturn:
    """End the command with a sentence in both languages."""
    _end(code, f"{what.zh} / {what.en}")


def _end(code: ExitCode, sentence: str) -> NoReturn:
    errors.print(sentence, style="red", markup=False)
    raise typer.Exit(code) from None


def tell_faults(error: RulebookError) -> None:
    """Every fault of the rule files in both languages."""
    for fault in error.faults:
        for spoken in LANGUAGES:
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


def may_be_named(name: str) -> str:
    """What can be a folder, a version or a digest; anything else is refused before a database is asked."""
    if not Path(name).is_dir() and not _RELEASE.fullmatch(name):
        fail(
            ExitCode.NOT_FOUND,
            Text(
                f"没有目录 {name}，它也不是版本号或摘要",
                f"no folder {name}, and it is neither a version nor a digest",
            ),
        )
    return name
