"""What a fresh platform needs before its worker and API start."""

from pathlib import Path

from api.tokens import DevelopmentIssuer
from embedded.platform import REPOSITORY
from rules.engine.load import load_rulebook
from settings import Settings
from store.database import connect, writing
from store.migrations import migrate
from store.signers import DevelopmentSigners


def prepare(settings: Settings) -> None:
    """Migrate the database, publish the rulebook of this checkout, make the development issuer's keys.

    Two fictitious signers publish it, so that four eyes hold in development too.
    """
    url = settings.database_url.get_secret_value()
    migrate(url)
    release = load_rulebook(REPOSITORY / "rules")
    engine = connect(url, pool_size=1)
    with writing(engine) as writer:
        DevelopmentSigners(settings.rule_signers).publish(writer, release)
    engine.dispose()
    DevelopmentIssuer(Path(settings.jwks).parent)
