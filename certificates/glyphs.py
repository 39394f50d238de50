"""Which characters a font can show: read from its character map, so that none is shown as an empty box."""

import struct
from bisect import bisect_right

_GROUPED = 12
"""Format of the character map that covers all of Unicode (OpenType, `cmap`)."""


class Coverage:
    """The characters of one OpenType font."""

    def __init__(self, font: bytes) -> None:
        """Read the map.

        Raises:
            ValueError: The font has no map of all of Unicode.
        """
        start = _map(font)
        (groups,) = struct.unpack_from(">I", font, start + 12)
        ranges = [struct.unpack_from(">II", font, start + 16 + 12 * place) for place in range(groups)]
        self._first = [first for first, _ in ranges]
        self._last = [last for _, last in ranges]

    def __contains__(self, character: str) -> bool:
        """Whether the font has the character."""
        place = bisect_right(self._first, ord(character)) - 1
        return place >= 0 and ord(character) <= self._last[place]

    def readable(self, text: str) -> str:
        """The text, with the code point in place of each character that the font lacks.

        Characters without a shape, such as those that turn the direction of writing, are among them: what
        is printed is what is there.
        """
        blank = " ".join(text.split())
        return "".join(each if each in self else f"〔U+{ord(each):04X}〕" for each in blank)


def _map(font: bytes) -> int:
    (tables,) = struct.unpack_from(">H", font, 4)
    places = {
        font[12 + 16 * n : 16 + 16 * n]: struct.unpack_from(">I", font, 20 + 16 * n)[0] for n in range(tables)
    }
    start: int = places[b"cmap"]
    (maps,) = struct.unpack_from(">H", font, start + 2)
    for n in range(maps):
        (offset,) = struct.unpack_from(">I", font, start + 8 + 8 * n)
        if struct.unpack_from(">H", font, start + offset)[0] == _GROUPED:
            return start + int(offset)
    raise ValueError("no character map of all of Unicode")
