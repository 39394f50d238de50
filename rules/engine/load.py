"""Reads a folder of rule files into a release, or says everything that is wrong with them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rules.engine.completeness import check_completeness
from rules.engine.dialect import check_shape, kind_of
from rules.engine.faults import Fault, RulebookError
from rules.engine.patterns import check_patterns
from rules.engine.references import check_references
from rules.engine.release import Release
from rules.engine.requirements import check_requirements
from rules.engine.source import Source, read
from schemas.texts import Text

REQUIRED = ("rulebook.yaml", "data-types.yaml", "messages.yaml", "categories/out-of-scope.yaml")


def load_rulebook(folder: Path) -> Release:
    """Reads, checks and compiles all rule files of a folder; ``*.cases.yaml`` are left to ``run_cases``.

    Args:
        folder: The folder that holds ``rulebook.yaml``.

    Raises:
        RulebookError: With every fault found, each with file, line, column, cause and remedy.
    """
    faults: list[Fault] = list(_absent(folder))
    sources: dict[str, Source] = {}
    for path in rule_files(folder):
        file = path.relative_to(folder).as_posix()
        try:
            source = read_checked(folder, path)
        except RulebookError as error:
            faults += error.faults
            continue
        sources[file.removesuffix(".yaml")] = source
    if not faults:
        for check in (check_references, check_requirements, check_completeness):
            faults += check(sources)
    if faults:
        raise RulebookError(faults)
    return Release({name: _with_order(source.data) for name, source in sources.items()})


def rule_files(folder: Path, *, cases: bool = False) -> list[Path]:
    """The rule files of a folder, or the cases beside them, in order."""
    return sorted(path for path in folder.rglob("*.yaml") if path.name.endswith(".cases.yaml") == cases)


def read_checked(folder: Path, path: Path) -> Source:
    """Reads one file and checks it against the schema of its kind.

    Raises:
        RulebookError: It is unreadable, of no known kind, or not as its schema wants it.
    """
    file = path.relative_to(folder).as_posix()
    kind = kind_of(file)
    if kind is None:
        raise RulebookError([_stray(file)])
    source = read(file, path)
    faults = check_shape(source, kind)
    if not faults and kind != "cases":
        faults = list(check_patterns(source))
    if faults:
        raise RulebookError(faults)
    return source


def _absent(folder: Path) -> Iterator[Fault]:
    for file in REQUIRED:
        if not (folder / file).is_file():
            yield Fault(
                file,
                1,
                1,
                Text("没有这个文件。", "This file is missing."),
                Text("没有它就不成规则集。", "Without it there is no rulebook."),
                Text("请补上。", "Add it."),
            )


def _stray(file: str) -> Fault:
    return Fault(
        file,
        1,
        1,
        Text("这里不放规则文件，或文件名不对。", "No rule file belongs here, or its name is not right."),
        Text("引擎按所在文件夹辨认文件的种类。", "The engine tells the kind of a file by its folder."),
        Text(
            "请放进 categories、repositories、forms、requirements 或 procedures。",
            "Put it into categories, repositories, forms, requirements or procedures.",
        ),
    )


def _with_order(value: Any) -> Any:
    """Writes down the order of fields and choices, which canonical JSON would lose."""
    if isinstance(value, list):
        return [_with_order(item) for item in value]
    if not isinstance(value, dict):
        return value
    ordered = {key: _with_order(item) for key, item in value.items()}
    if "properties" in value and value.get("type") == "object" and "x-title" in value:
        ordered["x-order"] = list(value["properties"])
    if "x-values" in value:
        ordered["enum"] = list(value["x-values"])
    return ordered
