"""One deployment with a key that signs answers and a public address, in a database of its own."""

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from pydantic import HttpUrl

from settings import Settings
from store.answer_keys import rotate

sys.path.append(str(Path(__file__).parents[1] / "eligibility"))  # its desk serves here as well

from eligibility_desk import Desk
from http_deployment import complete_draft, database_of_its_own, number


@pytest.fixture(scope="package")
def desk(
    session_settings: Settings, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    """API and worker, with a database and a task queue of their own."""
    answer_keys: Path = tmp_path_factory.mktemp("answer-keys") / "keys.json"
    rotate(answer_keys)
    changes = database_of_its_own(session_settings, template_database, "amendments")
    changes |= {"answer_keys": answer_keys, "public_url": HttpUrl("https://backup.example")}
    desk = Desk(session_settings.model_copy(update=changes))
    desk.start()
    yield desk
    desk.stop()


@pytest.fixture
def zhang(desk: Desk) -> Iterator[httpx2.Client]:
    """A delegate."""
    with desk.account("zhang") as account:
        yield account


@pytest.fixture
def backup(zhang: httpx2.Client) -> tuple[str, str]:
    """Id and number of a backup of Zhang's."""
    id_ = complete_draft(zhang)
    return id_, number(zhang, id_)
