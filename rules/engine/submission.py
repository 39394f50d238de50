"""Puts the steps of a backup together into the one record that is judged at submission."""

from collections.abc import Mapping
from typing import Any

from rules.engine.procedures import BackupCreationProcedure
from rules.engine.release import Release


def submission_record(
    release: Release, procedure: BackupCreationProcedure, contents: Mapping[str, Mapping[str, Any] | None]
) -> dict[str, Any]:
    """The record of the subject ``submission``, whatever steps the procedure has.

    Args:
        release: The release that will judge.
        procedure: Its procedure.
        contents: By step id: a form's record, or the sums of a list (``rows``, ``unreadable_rows``,
            ``categories``, ``repositories``, ``in_transit``, ``errors``); none where the step is empty.

    Returns:
        ``steps`` (each step's content or null) and the comparisons JSON Schema cannot make:
        ``undeclared_categories`` (in a list, in no form), ``categories_without_files`` (the other way round),
        ``in_transit`` (repositories still waited for).
    """
    steps = {step.id: contents.get(step.id) for step in procedure.steps}
    declared: set[str] = set()
    listed: set[str] = set()
    in_transit: set[str] = set()
    for step in procedure.steps:
        content = steps[step.id] or {}
        if step.kind == "form":
            declared |= _declared(release.category_fields(step.form), content)
        else:
            listed |= {*content.get("categories", ())}
            in_transit |= {*content.get("in_transit", ())}
    known = release.categories.keys()
    return {
        "steps": steps,
        "undeclared_categories": sorted((listed - declared) & known),
        "categories_without_files": sorted((declared - listed) & known),
        "in_transit": sorted(in_transit),
    }


def _declared(fields: tuple[str, ...], record: Mapping[str, Any]) -> set[str]:
    """Categories a form's record names, in whichever field asks for them."""
    found: set[str] = set()
    for field in fields:
        value = record.get(field)
        found |= {item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)}
    return found
