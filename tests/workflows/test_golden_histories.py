"""Every path's history, as recorded once and as it runs today, replays on today's workflow.

Each folder of ``histories`` is one version of the workflows. ``pytest
tests/workflows/test_golden_histories.py --record`` records the present workflow's into the newest; see
``docs/how-to/change-a-workflow.md`` for when to do that and when not to. The key ring beside the histories is
for them alone; what they hold is made up.
"""

import ast
import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from backup_desk import PROJECT, Desk, Draft, Repositories, changed_release, file_list, working
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.testing import TimeSkipper
from temporalio.worker import Replayer

from rules.engine.acts import china_day
from rules.engine.release import Release
from schemas.contracts.backups import Closed, OpenBackup
from schemas.contracts.stuck import ResolveBlock
from schemas.errors import Refusal
from schemas.stuck import BlockAction
from settings import Settings
from store.database import reading
from wire.client import connect
from wire.keys import KeyRing
from wire.plugin import WirePlugin
from wire.search_attributes import BLOCKED
from workflows.backup_creation import BackupCreation

HISTORIES = Path(__file__).parent / "histories"
KEYS = HISTORIES / "keys.json"
FINGERPRINT = HISTORIES / "fingerprint.json"
WORKFLOWS = Path(__file__).parents[2] / "workflows"

NEWEST = max(
    (folder for folder in HISTORIES.iterdir() if folder.is_dir()), key=lambda folder: int(folder.name)
)
"""The version of the workflows that is recorded now; those before it are out there in open cases."""
RECORDED = sorted(HISTORIES.glob("*/*.json"))

Run = tuple[Draft, str | None]
"""A draft, and which of its runs is meant when it has several."""
Play = Callable[[Desk, TimeSkipper, Repositories], Awaitable[Run]]


async def plain(desk: Desk, time: TimeSkipper, repositories: Repositories) -> Run:
    draft = await desk.filled()
    assert (await draft.submit()).accepted
    return draft, None


async def rejected_then_accepted(desk: Desk, time: TimeSkipper, repositories: Repositories) -> Run:
    draft = await desk.filled()
    await draft.save("project", {"title": PROJECT["title"]})
    assert not (await draft.submit()).accepted
    await draft.save("project", PROJECT)
    assert (await draft.submit()).accepted
    return draft, None


async def withdrawn(desk: Desk, time: TimeSkipper, repositories: Repositories) -> Run:
    draft = await desk.filled()
    await draft.withdraw()
    return draft, None


async def expired_with_reminders(desk: Desk, time: TimeSkipper, repositories: Repositories) -> Run:
    draft = await desk.filled()
    for days in (151, 24, 6):
        await time.fast_forward(draft.handle, timedelta(days=days))
    assert (await draft.handle.result()).state == "expired"
    return draft, None


async def waited_for_a_deposit(desk: Desk, time: TimeSkipper, repositories: Repositories) -> Run:
    draft = await desk.filled()
    await draft.save("data-files", file_list(in_transit=["gvm"]))
    await time.fast_forward(draft.handle, timedelta(days=1, minutes=1))
    await repositories.are_asked()
    assert (await draft.check_deposits(attested="gvm")).awaiting == []
    return draft, None


async def continued_as_new(desk: Desk, time: TimeSkipper, repositories: Repositories) -> Run:
    draft = await desk.filled(events_per_run=20)
    first = (await draft.history()).events[0].workflow_execution_started_event_attributes
    await draft.save("project", PROJECT)
    return draft, first.first_execution_run_id


async def judged_anew(desk: Desk, time: TimeSkipper, repositories: Repositories) -> Run:
    draft = await desk.filled()
    with reading(desk.platform.engine) as reader:
        release = desk.platform.rulebooks.in_force(reader, datetime.now(UTC)).release
    desk.publish(changed_release(release, "2023.7.2", china_day(datetime.now(UTC))))
    assert (await draft.submit()).number is not None
    return draft, None


async def blocked_and_retried(desk: Desk, time: TimeSkipper, repositories: Repositories) -> Run:
    return await _blocked(desk, time, "retry"), None


async def blocked_and_skipped(desk: Desk, time: TimeSkipper, repositories: Repositories) -> Run:
    return await _blocked(desk, time, "skip"), None


async def _blocked(desk: Desk, time: TimeSkipper, action: BlockAction) -> Draft:
    """What falls due is refused; an operator decides, and the draft goes on until it is given up."""
    draft = await desk.filled()
    await draft.save("data-files", file_list(in_transit=["gvm"]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("activities.backups.awaiting", _refuse)
        await time.fast_forward(draft.handle, timedelta(days=1, minutes=1))
        async with asyncio.timeout(30):
            while not (await draft.handle.describe()).typed_search_attributes.get(BLOCKED):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    resolving = ResolveBlock(operation_id=uuid4(), action=action)
    await draft.handle.execute_update(BackupCreation.resolve_block, resolving)
    await draft.withdraw()
    return draft


def _refuse(*_: object) -> None:
    raise Refusal("no_rulebook_in_force")


PATHS: dict[str, Play] = {
    play.__name__: play
    for play in (
        plain,
        rejected_then_accepted,
        withdrawn,
        expired_with_reminders,
        waited_for_a_deposit,
        continued_as_new,
        judged_anew,
        blocked_and_retried,
        blocked_and_skipped,
    )
}


@pytest.fixture(scope="module")
def plugin(session_settings: Settings) -> WirePlugin:
    """The plugin with the keys of the recorded histories."""
    return WirePlugin(KeyRing.load(KEYS), session_settings.temporal_namespace)


@pytest_asyncio.fixture(loop_scope="session")
async def golden_desk(
    settings: Settings, repositories: Repositories, release: Release
) -> AsyncIterator[Desk]:
    """A desk whose client and worker encrypt with the keys of the recorded histories."""
    settings = settings.model_copy(update={"keys_file": KEYS})
    client = await connect(settings)
    desk = Desk.furnished(client, settings, release)
    async with working(client, settings):
        yield desk
    desk.platform.engine.dispose()


@pytest.mark.parametrize("path", PATHS)
async def test_a_history_made_today_replays(
    path: str,
    golden_desk: Desk,
    time_skipper: TimeSkipper,
    repositories: Repositories,
    plugin: WirePlugin,
    request: pytest.FixtureRequest,
) -> None:
    draft, run_id = await PATHS[path](golden_desk, time_skipper, repositories)
    history = await draft.history(run_id)
    await Replayer(workflows=[BackupCreation], plugins=[plugin]).replay_workflow(history)
    if request.config.getoption("--record"):
        machine = golden_desk.platform.temporal.identity
        told = history.to_json().replace(machine, "worker")
        (NEWEST / f"{path}.json").write_text(told + "\n", "utf-8")


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}-{path.stem}")
async def test_a_recorded_history_replays(path: Path, plugin: WirePlugin) -> None:
    await Replayer(workflows=[BackupCreation], plugins=[plugin]).replay_workflow(_recorded(path))


def test_every_path_has_a_recorded_history() -> None:
    assert {path.stem for path in NEWEST.iterdir()} == set(PATHS)


async def test_a_changed_workflow_does_not_replay(plugin: WirePlugin) -> None:
    with pytest.raises(workflow.NondeterminismError):
        await Replayer(workflows=[Changed], plugins=[plugin]).replay_workflow(
            _recorded(NEWEST / "plain.json")
        )


def _recorded(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, path.read_text("utf-8"))


# --- the order of commands ------------------------------------------------------------------------------

COMMANDS = {
    "continue_as_new",
    "execute_activity_method",
    "execute_child_workflow",
    "patched",
    "show_deadline",
    "show_stage",
    "sleep",
    "transact",
    "upsert_search_attributes",
    "wait_condition",
}
"""What makes commands, also by way of `workflows.board` and `workflows.transaction`."""
NAMED = {"execute_activity_method", "patched", "transact"}
EXPLANATION = """
The commands of a workflow have changed:
{change}

Drafts are open for months. A run that is open now replays its history on the new code; where a command stands
in another place, it stops with NondeterminismError and can neither go on nor be cancelled.

 - A command was added, removed or moved: keep the old way for old runs behind
   `if workflow.patched("why-2026-11"):`, and see docs/how-to/change-a-workflow.md. Do not record
   the histories anew: they are the old runs.
 - Only a name or a comment changed: no patch is needed.

Then write down the new order:  python tests/workflows/test_golden_histories.py
"""


def fingerprint() -> dict[str, list[str]]:
    """For each class its commands in the order of the source, with the method they stand in."""
    found = {}
    for path in sorted(WORKFLOWS.glob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                found[node.name] = [line for method in node.body for line in _commands(method)]
    return {name: lines for name, lines in found.items() if lines}


def _commands(method: ast.stmt) -> list[str]:
    if not isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
        return []
    lines = [f"{method.name}: @{ast.unparse(decorator)}" for decorator in method.decorator_list]
    calls = [node for node in ast.walk(method) if isinstance(node, ast.Call)]
    for node in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        called = ast.unparse(node.func).rpartition(".")[2]
        if called in COMMANDS:
            what = f" {ast.unparse(node.args[0])}" if called in NAMED else ""
            lines.append(f"{method.name}: {called}{what}")
    return lines


def test_the_order_of_commands_is_as_written_down() -> None:
    written = json.loads(FINGERPRINT.read_text("utf-8"))
    now = fingerprint()
    assert now, "no workflow class was found"
    change = [
        f"  {sign} {name}.{line}"
        for name in written.keys() | now.keys()
        for sign, lines, others in (
            ("-", written.get(name, []), now.get(name, [])),
            ("+", now.get(name, []), written.get(name, [])),
        )
        for line in lines
        if line not in others
    ]
    assert written == now, EXPLANATION.format(
        change="\n".join(change) or "  (the same commands in another order)"
    )


@workflow.defn(name="BackupCreation", sandboxed=False)
class Changed(BackupCreation):
    """The workflow after a careless edit."""

    @workflow.init
    def __init__(self, opening: OpenBackup) -> None:
        super().__init__(opening)

    @workflow.run
    async def run(self, opening: OpenBackup) -> Closed:
        """Sleep before the first step."""
        await workflow.sleep(timedelta(days=1))
        return await super().run(opening)


if __name__ == "__main__":
    FINGERPRINT.write_text(json.dumps(fingerprint(), indent=2) + "\n", "utf-8")
