"""Withdrawals and corrections, as recorded once and as they run today, replay on today's workflows.

``HGRIP_RECORD=1 pytest tests/amendments/test_amendment_histories.py`` records the present histories; see
``docs/how-to/change-a-workflow.md`` for when to do that and when not to. The key ring beside the histories is
for them alone; what they hold is made up. The order of commands is held by ``tests/workflows``.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import pytest
from amending import correct, opened, submitted, withdraw
from eligibility_desk import Desk, now
from http_deployment import complete_draft, database_of_its_own, number
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from schemas.contracts.backups import operation_id
from settings import Settings
from store.answer_keys import rotate
from wire.client import connect
from wire.keys import KeyRing
from wire.plugin import WirePlugin
from workflows.backup_creation import BackupCreation
from workflows.number_withdrawal import NumberWithdrawal

HISTORIES = Path(__file__).parent / "histories"
KEYS = HISTORIES / "keys.json"
NEWEST = max(
    (folder for folder in HISTORIES.iterdir() if folder.is_dir()), key=lambda folder: int(folder.name)
)
"""The version of the workflows that is recorded now; those before it are out there in open cases."""
RECORDED = sorted(HISTORIES.glob("*/*.json"))


def withdrawn(desk: Desk, zhang: httpx2.Client, backup: str, given: str) -> str:
    key = str(uuid4())
    assert withdraw(zhang, backup, key).status_code == 200
    return f"number-withdrawal-{operation_id(UUID(backup), key)}"


def withdrawal_refused(desk: Desk, zhang: httpx2.Client, backup: str, given: str) -> str:
    body = {**desk.question("zhang", given), "report_id": "R-1", "used_at": now().isoformat()}
    assert desk.service.post("/v1/prior-reports", json=body).status_code == 201
    key = str(uuid4())
    assert withdraw(zhang, backup, key).status_code == 409
    return f"number-withdrawal-{operation_id(UUID(backup), key)}"


def corrected(desk: Desk, zhang: httpx2.Client, backup: str, given: str) -> str:
    draft = opened(zhang, backup)
    assert submitted(zhang, draft)["number"] == given
    return f"backup-{draft}"


def correction_refused(desk: Desk, zhang: httpx2.Client, backup: str, given: str) -> str:
    assert withdraw(zhang, backup).status_code == 200
    assert correct(zhang, backup).status_code == 409
    [(draft,)] = desk.query("SELECT draft_id FROM amendment WHERE backup_id = %s AND done_at IS NULL", backup)
    return f"backup-{draft}"


PATHS: dict[str, Callable[[Desk, httpx2.Client, str, str], str]] = {
    play.__name__: play for play in (withdrawn, withdrawal_refused, corrected, correction_refused)
}
"""Each does something with a numbered backup, and tells the id of the workflow that did it."""


@pytest.fixture
def replayer(session_settings: Settings) -> Replayer:
    plugin = WirePlugin(KeyRing.load(KEYS), session_settings.temporal_namespace)
    return Replayer(workflows=[BackupCreation, NumberWithdrawal], plugins=[plugin])


@pytest.fixture(scope="module")
def golden_desk(
    session_settings: Settings, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    """A desk whose client and worker encrypt with the keys of the recorded histories, and its own names."""
    answer_keys = tmp_path_factory.mktemp("golden") / "answer-keys.json"
    rotate(answer_keys)
    changes = database_of_its_own(session_settings, template_database, "golden")
    changes |= {"keys_file": KEYS, "answer_keys": answer_keys}
    golden = Desk(session_settings.model_copy(update=changes))
    golden.start()
    yield golden
    golden.stop()


@pytest.mark.parametrize("path", PATHS)
async def test_a_history_made_today_replays(path: str, golden_desk: Desk, replayer: Replayer) -> None:
    with golden_desk.account("zhang") as zhang:
        backup = complete_draft(zhang)
        workflow_id = PATHS[path](golden_desk, zhang, backup, number(zhang, backup))
    client = await connect(golden_desk.settings)
    history = await client.get_workflow_handle(workflow_id).fetch_history()
    await replayer.replay_workflow(history)
    if os.environ.get("HGRIP_RECORD"):
        told = history.to_json().replace(client.identity, "worker")
        (NEWEST / f"{path}.json").write_text(told + "\n", "utf-8")


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}-{path.stem}")
async def test_a_recorded_history_replays(path: Path, replayer: Replayer) -> None:
    await replayer.replay_workflow(recorded(path))


def recorded(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, path.read_text("utf-8"))


def test_every_path_has_a_recorded_history() -> None:
    assert {path.stem for path in NEWEST.iterdir()} == set(PATHS)
