"""Attributions as recorded once and as they run today replay on today's workflow.

``HGRIP_RECORD=1 pytest tests/attribution/test_attribution_histories.py`` records the present histories; see
``docs/how-to/change-a-workflow.md`` for when to do that and when not to. The key ring beside the histories is
for them alone; what they hold is made up.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from attribution_desk import NAME, PHONE, UNIT, Desk
from temporalio.client import WorkflowFailureError, WorkflowHistory
from temporalio.worker import Replayer

from settings import Settings
from wire.client import connect
from wire.keys import KeyRing
from wire.plugin import WirePlugin
from workflows.attribution import Attribution

HISTORIES = Path(__file__).parent / "histories"
KEYS = HISTORIES / "keys.json"
NEWEST = max(
    (folder for folder in HISTORIES.iterdir() if folder.is_dir()), key=lambda folder: int(folder.name)
)
"""The version of the workflows that is recorded now; those before it are out there in open cases."""
RECORDED = sorted(HISTORIES.glob("*/*.json"))
PATHS = {"moved": f"+86{PHONE}", "refused": "+85251234567"}
"""Phone of the account of each path."""


@pytest.fixture
def replayer(session_settings: Settings) -> Replayer:
    plugin = WirePlugin(KeyRing.load(KEYS), session_settings.temporal_namespace)
    return Replayer(workflows=[Attribution], plugins=[plugin])


@pytest_asyncio.fixture(loop_scope="session")
async def golden_desk(settings: Settings, tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk whose client and worker encrypt with the keys of the recorded histories."""
    golden = settings.model_copy(update={"keys_file": KEYS})
    desk = Desk(golden, await connect(golden), tmp_path)
    yield desk
    desk.engine.dispose()


@pytest.mark.parametrize("path", PATHS)
async def test_an_attribution_made_today_replays(path: str, golden_desk: Desk, replayer: Replayer) -> None:
    golden_desk.imports((NAME, PHONE, UNIT, "A1"))
    account = golden_desk.signs_in(phone=PATHS[path])
    async with golden_desk.worker():
        if path == "refused":
            with pytest.raises(WorkflowFailureError):
                await golden_desk.attributes(account)
        else:
            assert (await golden_desk.attributes(account)).moved == 1
    history = await golden_desk.handle(account).fetch_history()
    await replayer.replay_workflow(history)
    if os.environ.get("HGRIP_RECORD"):
        told = history.to_json().replace(golden_desk.client.identity, "worker")
        (NEWEST / f"{path}.json").write_text(told + "\n", "utf-8")


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}-{path.stem}")
async def test_a_recorded_attribution_replays(path: Path, replayer: Replayer) -> None:
    await replayer.replay_workflow(recorded(path))


def recorded(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, path.read_text("utf-8"))


def test_every_path_has_a_recorded_history() -> None:
    assert {path.stem for path in NEWEST.iterdir()} == set(PATHS)
