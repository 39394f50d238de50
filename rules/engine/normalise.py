"""Turns the cells of a file list into records, without judging: what cannot be converted stays as it came."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rules.engine.release import Release

_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))
_MAX_DIGITS = 18
_KNOWN_HEADERS = 512

Convert = Callable[[str], Any]


class RowNormaliser:
    """Reads the rows of one list (规范化): headers to fields, cells to values.

    Trims blanks, drops invisible characters, changes case where the form says so, turns titles and other
    spellings into ids and digits into numbers, and fills in defaults and what the kind of list fixes.
    """

    def __init__(self, release: Release, form: str, listing: str) -> None:
        """Prepares for one list.

        Args:
            release: The release that will judge.
            form: The form of one row.
            listing: ``file_list``, or the kind of run table a repository exports.

        Raises:
            ValueError: No repository exports such a list.
        """
        properties = release.judged_form(form)["properties"]
        converts = {name: _convert(field) for name, field in properties.items()}
        tables = [
            r.run_table
            for r in release.repositories.values()
            if r.run_table and r.run_table.listing == listing
        ]
        self._fixed = {name: field["default"] for name, field in properties.items() if "default" in field}
        if tables:
            table = tables[0]
            self._fixed |= table.constants
            self._fields = {folded(column): field for column, field in table.columns.items()}
            for field, values in table.values.items():
                converts[field] = _choice(values.items())
        elif listing == "file_list":
            self._fields = _headers(properties)
        else:
            raise ValueError(f"no repository exports a list of this kind: {listing}")
        self._fixed["listing"] = listing
        self._converts = converts
        self._plans: dict[str, tuple[str | None, Convert]] = {}

    def fields(self, header: Sequence[str]) -> list[str | None]:
        """The field each column is read as; None where it is dropped: unknown, personal, or repeated."""
        found: list[str | None] = []
        for column in header:
            field = self._fields.get(folded(column))
            found.append(None if field in found else field)
        return found

    def columns(self, header: Sequence[str]) -> dict[str, str]:
        """Field → column as this file spells it."""
        return {field: column for field, column in zip(self.fields(header), header, strict=True) if field}

    def record(self, cells: Mapping[str, Any]) -> dict[str, Any]:
        """A row as a record: known columns only, empty cells left out.

        Args:
            cells: Header → cell. Text is converted; numbers and truth values stay as they are.
        """
        record: dict[str, Any] = {}
        plans = self._plans
        for column, cell in cells.items():
            field, convert = plans[column] if column in plans else self._plan(column)
            if field is None or field in record:
                continue
            if isinstance(cell, str):
                text = (cell if cell.isascii() else cell.translate(_INVISIBLE)).strip()
                if text:
                    record[field] = convert(text)
            elif cell is not None:
                record[field] = cell
        return {**self._fixed, **record}

    def _plan(self, column: str) -> tuple[str | None, Convert]:
        field = self._fields.get(folded(column))
        plan = (field, self._converts.get(field or "", str))
        if len(self._plans) < _KNOWN_HEADERS:
            self._plans[column] = plan
        return plan


def _headers(properties: Mapping[str, Any]) -> dict[str, str]:
    """Every spelling of a header; the kind of list is no column."""
    return {
        folded(spelling): name
        for name, field in properties.items()
        if name != "listing"
        for spelling in (name, field["x-title"]["zh"], field["x-title"]["en"], *field.get("x-columns", ()))
    }


def _convert(field: Mapping[str, Any]) -> Convert:
    if "x-values" in field:
        return _choice(
            (spelling, id_)
            for id_, value in field["x-values"].items()
            for spelling in (id_, value["zh"], value["en"], *value.get("also", ()))
        )
    if field["type"] == "integer":
        return _integer
    return {"upper": str.upper, "lower": str.lower}.get(field.get("x-case", ""), str)


def _choice(spellings: Iterable[tuple[str, str]]) -> Convert:
    known = _Spellings()
    for spelling, id_ in spellings:
        known[spelling] = known[folded(spelling)] = id_
    return known.__getitem__


class _Spellings(dict[str, str]):
    """Spelling → id; an unknown spelling is tried folded, and else stays as it is."""

    def __missing__(self, text: str) -> str:
        return self.get(folded(text), text)


def _integer(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else text


def folded(text: str) -> str:
    """What is compared of a header's or value's spelling: no case, blanks, hyphens or underscores."""
    return "".join(text.translate(_INVISIBLE).casefold().split()).replace("_", "").replace("-", "")
