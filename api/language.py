"""Which of the two languages an answer is written in."""

from typing import Annotated

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from schemas.texts import Language

TAGS: dict[Language, str] = {"zh": "zh-CN", "en": "en"}
"""BCP 47 tags for ``Content-Language``."""

_RANGES: dict[str, Language] = {"zh": "zh", "en": "en", "*": "zh"}
_MOST_RANGES = 20  # no browser sends more; the rest of a longer header is not read


def language(request: HTTPConnection) -> Language:
    """The preferred language by ``Accept-Language`` (RFC 9110 §12.5.4), Chinese when it names neither.

    Only the first part of a tag counts: ``zh-TW`` is Chinese, ``en-GB`` English. Where two weigh the same,
    the first wins.
    """
    best: tuple[float, Language] = (0.0, "zh")
    for part in request.headers.get("accept-language", "").split(",")[:_MOST_RANGES]:
        tag, _, parameter = part.lower().partition(";")
        spoken = _RANGES.get(tag.strip().split("-")[0])
        if spoken and (weight := _weight(parameter)) > best[0]:
            best = (weight, spoken)
    return best[1]


async def _spoken(request: Request) -> Language:
    return language(request)


LanguageDep = Annotated[Language, Depends(_spoken)]


def _weight(parameter: str) -> float:
    """The number of ``q=0.8``, 1 where there is none, 0 where it cannot be read."""
    try:
        weight = float(parameter.strip().removeprefix("q=") or 1)
    except ValueError:
        return 0.0
    return weight if 0 < weight <= 1 else 0.0
