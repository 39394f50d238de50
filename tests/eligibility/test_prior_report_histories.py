"""Prior reports as recorded once and as they run today replay on today's workflow.

``HGRIP_RECORD=1 pytest tests/eligibility/test_prior_report_histories.py`` records the present histories; see
``docs/how-to/change-a-workflow.md`` for when to do that and when not to. The key ring beside the histories is
for them alone; what they hold is made up.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from eligibility_desk import Desk, now
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from schemas.contracts.prior_reports import RecordPriorReport
from settings import Settings
from store.answer_keys import rotate
from wire.client import connect
from wire.keys import KeyRing
from wire.plugin import WirePlugin
from workflows.prior_report import PriorReport

HISTORIES = Path(__file__).parent / "histories"
KEYS = HISTORIES / "keys.json"
NEWEST = max(
    (folder for folder in HISTORIES.iterdir() if folder.is_dir()), key=lambda folder: int(folder.name)
)
"""The version of the workflows that is recorded now; those before it are out there in open cases."""
RECORDED = sorted(HISTORIES.glob("*/*.json"))
PATHS = {"recorded": ("zhang", 201), "refused": ("li", 409)}
"""Who reports on a backup of the first, and what comes of it."""


@pytest.fixture
def replayer(session_settings: Settings) -> Replayer:
    plugin = WirePlugin(KeyRing.load(KEYS), session_settings.temporal_namespace)
    return Replayer(workflows=[PriorReport], plugins=[plugin])


@pytest.fixture
def golden_desk(settings: Settings, tmp_path: Path) -> Iterator[Desk]:
    """A desk whose client and worker encrypt with the keys of the recorded histories."""
    rotate(tmp_path / "answer-keys.json")
    changes = {"keys_file": KEYS, "answer_keys": tmp_path / "answer-keys.json"}
    desk = Desk(settings.model_copy(update=changes))
    desk.start()
    yield desk
    desk.stop()


@pytest.mark.parametrize("path", PATHS)
async def test_a_report_made_today_replays(path: str, golden_desk: Desk, replayer: Replayer) -> None:
    number = golden_desk.numbered("zhang")
    who, status = PATHS[path]
    body = {**golden_desk.question(who, number), "report_id": "R-1", "used_at": now().isoformat()}
    assert golden_desk.service.post("/v1/prior-reports", json=body).status_code == status
    [(backup_id,)] = golden_desk.query("SELECT id FROM backup WHERE number = %s", number)
    client = await connect(golden_desk.settings)
    history = await client.get_workflow_handle(_workflow_id(backup_id)).fetch_history()
    await replayer.replay_workflow(history)
    assert len(history.events) < 10
    if os.environ.get("HGRIP_RECORD"):
        told = history.to_json().replace(client.identity, "worker")
        (NEWEST / f"{path}.json").write_text(told + "\n", "utf-8")


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}-{path.stem}")
async def test_a_recorded_report_replays(path: Path, replayer: Replayer) -> None:
    await replayer.replay_workflow(recorded(path))


def recorded(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, path.read_text("utf-8"))


def test_every_path_has_a_recorded_history() -> None:
    assert {path.stem for path in NEWEST.iterdir()} == set(PATHS)


def _workflow_id(backup_id: UUID) -> str:
    report = RecordPriorReport(
        report_id="R-1",
        backup_id=backup_id,
        number="",
        account_id=backup_id,
        used_at=now(),
        reported_by=backup_id,
    )
    return report.workflow_id
