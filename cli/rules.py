"""``hgrip rules``: what the policy team does with rule files."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import settings as configuration
from rules.engine.load import RulebookError, load_rulebook
from settings import Settings
from store.database import connect, writing
from store.releases import publish as publish_release

app = typer.Typer(no_args_is_help=True, help="规则集 / The rulebook")
console = Console(highlight=False, soft_wrap=True)


def publish_folder(settings: Settings, folder: Path) -> bool:
    """Publish the rule files of a folder; False when that very release is in the database.

    Raises:
        RulebookError: The files do not make a release.
    """
    release = load_rulebook(folder)
    engine = connect(settings.database_url.get_secret_value(), pool_size=1)
    try:
        with writing(engine) as writer:
            return publish_release(writer, release)
    finally:
        engine.dispose()


@app.command()
def publish(
    folder: Annotated[Path, typer.Argument(help="规则文件目录 / Folder of rule files")] = Path("rules"),
) -> None:
    """发布规则文件 / Publish the rule files: workers and API take the new release up without a restart."""
    try:
        new = publish_folder(configuration.load(), folder)
    except RulebookError as error:
        for fault in error.faults:
            console.print(str(fault), style="red")
        raise typer.Exit(1) from None
    console.print("已发布 / Published" if new else "该版本已在库中 / That release is there already")
