"""The cells on which a compiled release proves itself before it judges anything."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from rules.engine.matrix import ROW_FIELDS
from rules.engine.release import Release

Record = dict[str, Any]


def matrix_records(release: Release, subject: str) -> Iterator[Record]:
    """A record for every cell of the matrix, right or wrong.

    Category (out-of-scope kinds too) × data type × kind × repository, each possibly absent, with the number
    and file name its repository wants; then, where the matrix allows, every format with every suffix.

    Args:
        release: Whose matrix.
        subject: A form; without the fields of a data file it has no cells.
    """
    fields = release.subject_form(subject).get("properties", {})
    if not fields.keys() >= ROW_FIELDS:
        return
    deciding = {cell.kind[0]: None for cell in release.cells if cell.kind}
    names = ["category", "data_type", "repository", *deciding]
    for values in itertools.product(*([*fields[name]["enum"], None] for name in names)):
        yield _record(release, fields, dict(zip(names, values, strict=True)))
    suffixes = sorted({suffix for taken in _formats(release) for suffix in taken})
    for cell in release.cells:
        kind = {cell.kind[0]: cell.kind[1]} if cell.kind else {}
        chosen = {"category": cell.category, "data_type": cell.data_type, **kind}
        for repository in cell.repositories:
            record = _record(release, fields, {**chosen, "repository": repository})
            for name in fields["file_format"]["enum"]:
                yield {**record, "file_format": name}
            for suffix in suffixes:
                yield {**record, "file_name": f"a{suffix}"}


def _formats(release: Release) -> Iterator[tuple[str, ...]]:
    for repository in release.repositories.values():
        for formats in repository.formats.values():
            yield from formats.values()


def _record(release: Release, fields: Mapping[str, Any], chosen: Mapping[str, Any]) -> Record:
    record = {name: field["examples"][0] for name, field in fields.items() if "examples" in field}
    record |= {name: value for name, value in chosen.items() if value is not None}
    repository = release.repositories.get(chosen["repository"] or "")
    if repository:
        for name, identifier in repository.identifiers.items():
            if name in fields:
                record[name] = identifier.examples[0]
        taken = repository.formats.get(chosen["data_type"] or "", {})
        record["file_name"] = f"a{next(iter(taken.values()), ('.bin',))[0]}"
    return record
