"""Logs of every process: one place decides their shape, and what may not be in them.

Texts of exceptions quote what they choked on: a database's ``DETAIL`` line holds a whole row. Type and place
tell an operator enough. And whatever a log line was given, ours or a library's, numbers that could be a
phone's, an identity card's or a code are masked in it: the last net, under code that logs no person at all.
"""

import logging
import re
import sys
import traceback
from types import TracebackType
from typing import Any, Literal

import structlog

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
FRAMES = 12
"""Innermost frames shown of each exception."""

_KEPT = (
    r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",  # UUID
    r"(?<![0-9a-fA-F])[0-9a-f]{64}(?![0-9a-fA-F])",  # SHA-256
    r"(?<![0-9])[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?)?(?![0-9])",
    r"(?<![0-9])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?::[0-9]{1,5})?(?![0-9])",  # network address
)
_NUMBER = r"\+?\d(?:[ \t.()/_-]{0,3}\d){5,}[Xx]?"  # of any script: full-width digits as well
_NET = re.compile(f"(?P<kept>{'|'.join(_KEPT)})|{_NUMBER}")
_MASK = "＊＊＊"
_NUMBERS_FROM = 10**10
"""A whole number from here on has the 11 digits of a mobile phone."""


def configure(format_: Literal["console", "json"]) -> None:
    """Set up logging of this process, our own and the libraries'."""
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _exception_without_text,
    ]
    last: list[structlog.types.Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        _masked,
    ]
    renderer: structlog.types.Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if format_ == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=False)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[*last, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for name in ("uvicorn", "uvicorn.error"):  # it brings handlers of its own, which print exceptions whole
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _exception_without_text(
    logger: object, method: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    if isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    if isinstance(info, tuple) and info[1] is not None:
        event["exception"] = describe(info[1])
    return event


def describe(error: BaseException) -> str:
    """An exception and its causes by type and place, without their texts."""
    lines = []
    seen: BaseException | None = error
    while seen is not None:
        frames = traceback.extract_tb(seen.__traceback__)[-FRAMES:]
        place = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
        lines.append(f"{type(seen).__module__}.{type(seen).__qualname__} at {place}")
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return "\n".join(lines)


def masked(text: str) -> str:
    """A text without numbers of six digits and more, however they are grouped.

    Left are UUIDs, SHA-256 digests, dates, times and network addresses.
    """
    return _NET.sub(lambda found: found["kept"] or _MASK, text)


def _masked(logger: object, method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    return {key: _masked_value(value) for key, value in event.items()}


def _masked_value(value: Any) -> Any:
    """The same value of plain kinds; anything else as its masked text, which is all a renderer prints."""
    if isinstance(value, dict):
        return {masked(str(key)): _masked_value(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked_value(each) for each in value]
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < _NUMBERS_FROM else _MASK
    return masked(str(value))
