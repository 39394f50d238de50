"""Records for the engine's measurements, and the least a program in plain Python could do with them."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from benchmarks.lists import rows
from rules.engine.normalise import RowNormaliser
from rules.engine.release import Release

Record = dict[str, Any]
Kind = Literal["typical", "worst"]
"""Typical: each file its own name and checksum, few accessions. Worst: each its own accession, too."""

FAULTY = 20
"""One record in so many."""

_NUMBER = re.compile("[0-9]{6,}")
_NAME = re.compile(r"[^\x00-\x20/\\]{1,200}").fullmatch
_MD5 = re.compile("[0-9a-f]{32}").fullmatch


def records(release: Release, kind: Kind, count: int) -> Iterator[Record]:
    """Normalised records of a file list, one in twenty faulty."""
    normaliser = RowNormaliser(release, "data-file", "file_list")
    for number, cells in enumerate(rows(count, FAULTY)):
        record = normaliser.record(cells)
        if kind == "worst" and "accession" in record:
            record["accession"] = _NUMBER.sub(f"{number:08d}", record["accession"], count=1)
        yield record


def hand_written(release: Release) -> Callable[[Mapping[str, Any]], bool]:
    """A look-up in a dict, three regular expressions and the types: yes or no, no finding, no release."""
    formats: dict[Any, Any] = {
        (cell.category, cell.data_type, repository): release.repositories[repository].formats[cell.data_type]
        for cell in release.cells
        for repository in cell.repositories
    }
    numbers: dict[Any, Any] = {
        id_: re.compile(repository.identifiers["accession"].pattern[1:-1]).fullmatch
        for id_, repository in release.repositories.items()
    }

    def accepts(record: Mapping[str, Any]) -> bool:
        get = record.get
        repository = get("repository")
        taken = formats.get((get("category"), get("data_type"), repository))
        if taken is None or not (get("file_format") is None or get("file_format") in taken):
            return False
        name, md5, accession = get("file_name"), get("md5"), get("accession")
        return (
            isinstance(name, str)
            and isinstance(md5, str)
            and isinstance(accession, str)
            and _NAME(name) is not None
            and _MD5(md5) is not None
            and numbers[repository](accession) is not None
        )

    return accepts
