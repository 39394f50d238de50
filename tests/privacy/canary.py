"""Searching for a value that must be nowhere, in whatever form it may have been written down."""

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

MEBIBYTE = 1 << 20


class Hit(NamedTuple):
    """A find. Of the value it holds only which of the canaries it was."""

    place: str
    canary: str
    spelling: str


class Spelling(NamedTuple):
    """One form in which a value is looked for; a folded one in lower case, in content in lower case."""

    name: str
    form: bytes
    folded: bool = False


def spellings(value: str) -> list[Spelling]:
    """Every form in which a value is looked for, but groups of digits."""
    forms: dict[bytes, Spelling] = {}

    def add(name: str, form: str | bytes, *, folded: bool = False) -> None:
        data = form.encode() if isinstance(form, str) else form
        data = data.lower() if folded else data
        forms.setdefault(data, Spelling(name, data, folded))

    for encoding in ("utf-8", "utf-16-le", "utf-16-be", "gb18030"):
        encoded = value.encode(encoding)
        add(encoding, encoded)
        add(f"{encoding} in hex", encoded.hex(), folded=True)
        for offset in range(3):
            add(f"{encoding} in base64", _inner(b64encode(bytes(offset) + encoded), offset, len(encoded)))
            add(
                f"{encoding} in base64",
                _inner(urlsafe_b64encode(bytes(offset) + encoded), offset, len(encoded)),
            )
    add("escapes", json.dumps(value).strip('"'), folded=True)
    for safe in ("", "/", "@+:"):
        add("percent", quote(value, safe=safe), folded=True)
    return list(forms.values())


def _inner(text: bytes, offset: int, length: int) -> bytes:
    """Base64 of a value that begins at this offset, without the characters it shares with its neighbours."""
    return text[(0, 2, 3)[offset] : (offset + length) * 8 // 6]


def grouped(value: str) -> re.Pattern[bytes] | None:
    """A telephone number with blanks, hyphens and the like between any of its digits; None for a word."""
    digits = re.sub(r"\D", "", value)
    if len(digits) < 8 or any(character.isalpha() for character in value):
        return None
    return re.compile(rb"[ \t.()/_-]{0,3}".join(digit.encode() for digit in digits))


@dataclass
class Search:
    """A search for canaries, over many places.

    Attributes:
        canaries: Name → value; values are long and random enough not to occur by chance.
        hits: What was found.
        events: How many records (history events, rows, …) were looked at.
        size: How many bytes.
    """

    canaries: dict[str, str] = field(repr=False)
    hits: list[Hit] = field(default_factory=list)
    events: int = 0
    size: int = 0

    def __post_init__(self) -> None:
        self._forms = [(name, form) for name, value in self.canaries.items() for form in spellings(value)]
        groups = {name: grouped(value) for name, value in self.canaries.items()}
        self._groups = {name: group for name, group in groups.items() if group is not None}

    def look(self, place: str, content: bytes | str, events: int = 1) -> None:
        """Look at one piece of content."""
        data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        self.events += events
        self.size += len(data)
        low = data.lower()
        for name, (how, form, folded) in self._forms:
            if form in (low if folded else data):
                self.hits.append(Hit(place, name, how))
        for name, group in self._groups.items():
            if group.search(data):
                self.hits.append(Hit(place, name, "digits"))

    def look_at_files(self, paths: Iterable[Path]) -> None:
        """Look at whole files; one that vanishes meanwhile is passed over."""
        for path in paths:
            try:
                self.look(path.name, path.read_bytes())
            except FileNotFoundError:
                continue

    def __str__(self) -> str:
        told = f"{len(self.hits)} hits in {self.events} events / {self.size / MEBIBYTE:.1f} MiB"
        return "\n".join([told, *sorted({", ".join(hit) for hit in self.hits})])
