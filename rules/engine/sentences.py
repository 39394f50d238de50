"""Renders findings: the sentence and the basis come from the release that judged, never from the record."""

from collections.abc import Iterable

from rules.engine.model import Basis, Citation
from rules.engine.release import Release
from schemas.findings import Finding
from schemas.texts import Language


def sentence(release: Release, finding: Finding, language: Language) -> str:
    """What a person is told.

    Args:
        release: The release that judged.
        finding: One of its findings.
        language: ``zh`` or ``en``.

    Raises:
        KeyError: The finding is of another release.
    """
    message = release.rules[finding.rule].message
    return message.zh if language == "zh" else message.en


def basis(release: Release, finding: Finding, language: Language) -> list[Citation]:
    """The texts the finding rests on, in words.

    Raises:
        KeyError: The finding is of another release.
    """
    return cited(release, release.rules[finding.rule].basis, language)


def cited(release: Release, bases: Iterable[Basis], language: Language) -> list[Citation]:
    """References of a release in words."""
    citations = []
    for instrument_id, article in bases:
        instrument = release.rulebook.instruments[instrument_id]
        zh = language == "zh"
        title = instrument.title.zh if zh else instrument.title.en
        division = instrument.division.zh if zh else instrument.division.en
        citations.append(Citation(instrument_id, title, division.replace("{}", article), instrument.in_force))
    return citations
