"""Runs the cases beside ``claiming.yaml``: what names, phones and units become, or why they are refused."""

from collections.abc import Callable, Iterator, Mapping

from rules.engine.faults import CaseFailure
from rules.engine.persons import normalise_name, normalise_phone, normalise_unit
from rules.engine.procedures import Matching
from rules.engine.release import Release
from rules.engine.source import Source
from schemas.errors import Refusal
from schemas.texts import Text

_NORMALISE: Mapping[str, Callable[[str, Matching], str]] = {
    "names": normalise_name,
    "phones": normalise_phone,
    "units": normalise_unit,
}


def run_matching(source: Source, release: Release) -> Iterator[CaseFailure]:
    """Every spelling of a case that becomes something else than written; told without the spelling.

    Args:
        source: A checked ``*.cases.yaml`` of a procedure.
        release: Its rules.
    """
    rules = release.procedure("claiming").matching
    for kind, normalise in _NORMALISE.items():
        for case in source.data.get(kind, ()):
            expected = case.get("becomes", case.get("refused"))
            for place, spelling in enumerate(case["written"], start=1):
                if _outcome(normalise, spelling, rules) != expected:
                    yield CaseFailure(
                        source.file,
                        case["name"],
                        Text(f"第 {place} 种写法的结果不同。", f"Spelling {place} comes out otherwise."),
                    )


def _outcome(normalise: Callable[[str, Matching], str], spelling: str, rules: Matching) -> str:
    try:
        return normalise(spelling, rules)
    except Refusal as refusal:
        return refusal.error.code
