"""Text files: which encoding one has, told from all of its bytes, and its lines without endless ones."""

import codecs
from pathlib import Path
from typing import TextIO

from manifests.faults import Fault, UnreadableFile

_CHUNK = 1 << 20


def find_encoding(path: Path) -> str:
    """Tell the encoding of a whole text file.

    A byte order mark decides; without one the file is UTF-8 if every byte of it is, else GB18030 (GB
    18030-2022, a superset of GBK and GB 2312) if every byte is.

    Returns:
        ``utf-8``, ``utf-8-sig``, ``utf-16`` or ``gb18030``.

    Raises:
        UnreadableFile: ``file.encoding`` with line and byte of the place where the likeliest one breaks.
    """
    with path.open("rb") as file:
        start = file.read(3)
    if start == codecs.BOM_UTF8:
        candidates = ["utf-8-sig"]
    elif start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        candidates = ["utf-16"]
    else:
        candidates = ["utf-8", "gb18030"]
    broken = []
    for encoding in candidates:
        place = _first_broken_byte(path, encoding)
        if place is None:
            return encoding
        broken.append(place)
    byte, line = max(broken)  # the encoding that read furthest is the one that was meant
    raise UnreadableFile(Fault("file.encoding", line, None, (byte,)))


def _first_broken_byte(path: Path, encoding: str) -> tuple[int, int] | None:
    """Position from 1 and line of the first byte that is not of the encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    offset = 0
    with path.open("rb") as file:
        while True:
            chunk = file.read(_CHUNK)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                # counted from the end: what the codec looked at may begin before the chunk or behind its mark
                place = offset + len(chunk) - (len(error.object) - error.start)
                return place + 1, _line(path, encoding, place)
            if not chunk:
                return None
            offset += len(chunk)


def _line(path: Path, encoding: str, place: int) -> int:
    """The line on which a byte stands, from 1; all before it is of the encoding."""
    decoder, line = codecs.getincrementaldecoder(encoding)(), 1
    with path.open("rb") as file:
        while chunk := file.read(min(_CHUNK, place - file.tell())):
            line += _line_ends(decoder.decode(chunk))
    return line


def _line_ends(text: str) -> int:
    return max(text.count("\n"), text.count("\r"))


def open_text(path: Path, encoding: str) -> TextIO:
    """Open for reading with line ends as they are; LF, CR LF and CR each end a line."""
    return path.open(encoding=encoding, newline="")


def read_line(file: TextIO, length: int) -> str | None:
    """Read the next line with its end; ``""`` at the end of the file.

    Returns:
        None for a line longer than ``length`` characters; it is passed over without being held.
    """
    line = file.readline(length)
    if len(line) < length:
        return line
    while line and not line.endswith(("\n", "\r")):
        line = file.readline(length)
    return None
