"""``hgrip rules``: the rulebook on the command line."""

from pathlib import Path
from typing import Annotated

import typer

import settings as configuration
from rules.engine.load import load_rulebook
from settings import Settings
from store.database import connect, writing
from store.releases import publish as store_release

app = typer.Typer(no_args_is_help=True, help="规则集 / The rulebook")


@app.command()
def publish(
    folder: Annotated[Path, typer.Argument(help="规则文件目录 / Folder of rule files")] = Path("rules"),
) -> None:
    """把规则文件发布为一个规则版本 / Publish the rule files as a release."""
    typer.echo(publish_folder(configuration.load(), folder))


def publish_folder(settings: Settings, folder: Path) -> str:
    """Publish the rule files of a folder; does nothing when the very same are published.

    Returns:
        Version and digest of the release.
    """
    release = load_rulebook(folder)
    engine = connect(settings.database_url.get_secret_value(), pool_size=1)
    with writing(engine) as writer:
        store_release(writer, release)
    engine.dispose()
    return f"{release.version} {release.digest}"
