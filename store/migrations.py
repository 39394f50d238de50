"""The schema of the database, brought up to date; apart, because only commands need Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config


def migrations(url: str) -> Config:
    """The migration scripts, bound to a database."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[1] / "migrations"))
    config.attributes["url"] = url
    return config


def migrate(url: str) -> None:
    """Bring a database to the newest schema; does nothing when it is there."""
    command.upgrade(migrations(url), "head")
