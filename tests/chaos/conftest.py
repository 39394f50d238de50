"""Stage and person of the tests on real processes."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from chaos_stage import Person, Stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("stage"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(stage.uploads))
        stage.start_worker()
        stage.start_api()
        yield stage
        stage.close()


@pytest_asyncio.fixture
async def person(stage: Stage) -> AsyncIterator[Person]:
    person = Person(stage, "zhang")
    yield person
    await person.close()
