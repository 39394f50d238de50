"""Runs the cases beside ``delegation.yaml``: who has to agree before so many backups are handed over."""

from collections.abc import Iterator

from rules.engine.faults import CaseFailure
from rules.engine.release import Release
from rules.engine.source import Source
from schemas.texts import Text


def run_delegation(source: Source, release: Release) -> Iterator[CaseFailure]:
    """Every case that comes out otherwise than written.

    Args:
        source: A checked ``delegation.cases.yaml``.
        release: Its rules.
    """
    procedure = release.procedure("delegation")
    for case in source.data["cases"]:
        came = list(procedure.consents(case["backups"]))
        if came != case["consents"]:
            told = ", ".join(came) or "—"
            yield CaseFailure(
                source.file, case["name"], Text(f"实际须 {told} 同意。", f"It takes {told} to agree.")
            )
