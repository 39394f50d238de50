"""What a fresh platform needs before its worker and API start."""

from pathlib import Path

from api.tokens import DevelopmentIssuer
from cli.rules import publish_folder
from embedded.platform import REPOSITORY
from settings import Settings
from store.database import migrate


def prepare(settings: Settings) -> None:
    """Migrate the database, publish the rulebook of this checkout, make the development issuer's keys."""
    migrate(settings.database_url.get_secret_value())
    publish_folder(settings, REPOSITORY / "rules")
    DevelopmentIssuer(Path(settings.jwks).parent)
