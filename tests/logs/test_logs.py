import json
import logging
from collections.abc import Iterator

import pytest
import structlog

import logs

CANARY = "13812345678"


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def _raise() -> None:
    try:
        int(CANARY + "x")
    except ValueError as error:
        raise RuntimeError(f"cannot save {CANARY}") from error


@pytest.mark.parametrize("format_", ["json", "console"])
def test_a_logged_exception_tells_types_and_places_but_not_its_text(
    format_: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(format_)  # type: ignore[arg-type]  # both literals
    try:
        _raise()
    except RuntimeError:
        structlog.get_logger("ours").exception("save failed")
        logging.getLogger("theirs").exception("save failed")
    printed = capsys.readouterr().err
    assert CANARY not in printed
    assert printed.count("RuntimeError at _raise") == 2
    assert printed.count("ValueError at _raise") == 2


def test_json_lines_are_json_with_time_level_and_logger(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json")
    structlog.get_logger("ours").warning("未就绪", check="database")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["check"], line["level"], line["logger"]) == (
        "未就绪",
        "database",
        "warning",
        "ours",
    )
    assert line["timestamp"].endswith("Z")


NUMBERS = [
    "13812345678",
    "+86 138-1234-5678",
    "１３８１２３４５６７８",
    "11010119900307123X",
    "493027",
    "138.1234.5678",
]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("format_", ["json", "console"])
def test_a_number_of_a_person_is_masked_wherever_a_line_was_given_it(
    format_: str, number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(format_)  # type: ignore[arg-type]  # both literals
    structlog.get_logger("ours").info(f"to {number}", to=[{number: (number,)}], place=Exception(number))
    logging.getLogger("theirs").warning("to %s", number)
    assert number not in capsys.readouterr().err


def test_what_operators_look_things_up_by_is_not_masked() -> None:
    kept = (
        "backup-0b7f6c1e-3d43-5d1c-9c83-123456789012 2026-11-23T05:59:09.123456Z 192.168.100.200:7233 "
        f"{'0' * 64} line 12345"
    )
    assert logs.masked(kept) == kept
