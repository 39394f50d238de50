"""Compares what two patterns accept: by the examples of both, and by those examples changed at every edge."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from rules.engine.forms import pieces
from rules.engine.patterns import acceptor
from schemas.texts import Text

_TOLD = 3
"""Spellings told of each kind: one of each length, the shortest first."""
_LONGEST = 200
"""No text is made longer than this."""
_COUNT = re.compile(r"\{([0-9]+)(?:,([0-9]*))?\}")
_UNICODE = re.compile(r"\\u([0-9a-fA-F]{4})")
_RUN = re.compile(r"[0-9]+|[a-z]+|[A-Z]+|[^0-9a-zA-Z]+")


class PatternChange(NamedTuple):
    """A pattern (格式) that is written otherwise.

    Attributes:
        place: File and place in it, e.g. ``repositories/gsa-human: identifiers.accession``.
        old: As it was.
        new: As it is.
        refused: Spellings that only the old one accepts.
        accepted: Spellings that only the new one accepts.
        tried: How many spellings both were asked about.
    """

    place: str
    old: str
    new: str
    refused: list[str]
    accepted: list[str]
    tried: int

    @property
    def sentence(self) -> Text:
        """The change in one line; also where no spelling tried tells the two apart."""
        zh, en = f"{self.place} 格式改了：{self.old} → {self.new}", f"{self.place}: pattern changed: "
        en += f"{self.old} → {self.new}"
        if self.refused:
            zh += f"；不再接受 {'、'.join(self.refused)}"
            en += f"; no longer accepted: {', '.join(self.refused)}"
        if self.accepted:
            zh += f"；新接受 {'、'.join(self.accepted)}"
            en += f"; newly accepted: {', '.join(self.accepted)}"
        if not (self.refused or self.accepted):
            zh += f"；试了 {self.tried} 种写法，判断都相同"
            en += f"; {self.tried} spellings tried, none is judged otherwise"
        return Text(zh, en)


def pattern_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[PatternChange]:
    """Patterns that stand at the same place of both releases and differ.

    Args:
        old: Content of each rule file.
        new: The same of the other release.
    """
    before, after = (
        {
            f"{file}: {place}": holder
            for file, content in release.items()
            for place, holder in _holders(content, ())
        }
        for release in (old, new)
    )
    for place in sorted(before.keys() & after.keys()):
        first, second = before[place], after[place]
        if first["pattern"] != second["pattern"]:
            yield _compare(place, first, second)


def spellings(patterns: Iterable[str], seeds: Iterable[str]) -> set[str]:
    """Texts at the edges of what patterns accept: each seed, and each seed with one thing changed.

    One character is left out, put in or put for another, of those the patterns name and their neighbours;
    a run of digits or letters is made as long as a repetition of the patterns says, one shorter, one longer.
    """
    patterns = list(patterns)
    letters = {letter for pattern in patterns for letter in _letters(pattern)}
    lengths = {length for pattern in patterns for length in _lengths(pattern)}
    found = set(seeds)
    for seed in tuple(found):
        for i in range(len(seed) + 1):
            found |= {seed[:i] + letter + seed[i:] for letter in letters}
            found |= {seed[:i] + letter + seed[i + 1 :] for letter in (*letters, "")}
        for run in (re.compile(".*", re.DOTALL).match(seed), *_RUN.finditer(seed)):
            if run and run[0]:
                start, end = run.span()
                found |= {
                    seed[:start] + run[0][:length].ljust(length, run[0][-1]) + seed[end:]
                    for length in lengths
                }
    return found


def _compare(place: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> PatternChange:
    patterns = old["pattern"], new["pattern"]
    tried = spellings(patterns, [*_examples(old), *_examples(new)])
    before, after = (acceptor(pattern) for pattern in patterns)
    refused = [text for text in tried if before(text) and not after(text)]
    accepted = [text for text in tried if after(text) and not before(text)]
    return PatternChange(place, *patterns, _told(refused), _told(accepted), len(tried))


def _told(texts: list[str]) -> list[str]:
    by_length: dict[int, str] = {}
    for text in sorted(texts):
        by_length.setdefault(len(text), text)
    return [_shown(by_length[length]) for length in sorted(by_length)][:_TOLD]


def _holders(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Everything in a file that has a pattern, by its place; entries of lists are named by their id."""
    if isinstance(value, list):
        for i, item in enumerate(value):
            name = item.get("id", i) if isinstance(item, dict) else i
            yield from _holders(item, (*path, str(name)))
    elif isinstance(value, dict):
        if isinstance(value.get("pattern"), str):
            yield ".".join(path), value
        for key, item in value.items():
            yield from _holders(item, (*path, key))


def _examples(holder: Mapping[str, Any]) -> list[str]:
    keys = ("examples", "counter_examples", "x-counter-examples")
    return [text for key in keys for text in holder.get(key, []) if isinstance(text, str)]


def _letters(pattern: str) -> Iterator[str]:
    """The characters a pattern names, and those just before and after each character of its groups."""
    for piece in pieces(_COUNT.sub("", pattern)):
        if piece.startswith("["):
            for letter in _UNICODE.sub(lambda code: chr(int(code[1], 16)), piece[1:-1]):
                yield from (chr(code) for code in range(max(ord(letter) - 1, 0), ord(letter) + 2))
        elif piece not in {"^", "$", "(", ")", "|", "*", "+", "?"}:
            yield piece[-1]


def _lengths(pattern: str) -> Iterator[int]:
    bounds = {int(bound) for bounds in _COUNT.findall(pattern) for bound in bounds if bound}
    if {"*", "+", "?"} & {*pieces(pattern)}:
        bounds |= {0, 1}
    for bound in bounds:
        yield from (length for length in range(max(bound - 1, 0), bound + 2) if length <= _LONGEST)


def _shown(text: str) -> str:
    return text if text and text.isprintable() else json.dumps(text)
