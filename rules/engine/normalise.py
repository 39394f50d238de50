"""Turns the cells of a file list into records, without judging: what cannot be converted stays as it came."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from rules.engine.release import Release
from rules.engine.table import Row, repeating

_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))
_BLANK = "".join(filter(str.isspace, map(chr, range(sys.maxunicode + 1))))
_ASCII_BLANK = "".join(filter(str.isascii, _BLANK))
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
        conversions = {name: _conversion(field) for name, field in properties.items()}
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
                conversions[field] = _choice(values.items())
        elif listing == "file_list":
            self._fields = _headers(properties)
        else:
            raise ValueError(f"no repository exports a list of this kind: {listing}")
        self._fixed["listing"] = listing
        self._conversions = conversions
        self._plans: dict[str, tuple[str | None, Convert]] = {}
        kinds = {name: field["type"] for name, field in properties.items()}
        self._of_text = {name for name, kind in kinds.items() if kind == "string"}
        self._by_column = {*kinds.values()} <= {"string", "integer"} and all(
            kinds.get(name) == "string" for name in self._fixed
        )

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
                text = _visible(cell)
                if text:
                    record[field] = convert(text)
            elif cell is not None:
                record[field] = cell
        return {**self._fixed, **record}

    def frame(self, lines: pl.Series, cells: pl.DataFrame) -> tuple[pl.DataFrame, list[Row]]:
        """Rows as typed columns, each value as :meth:`record` converts it.

        Args:
            lines: The line of each row.
            cells: Text by header; null where a row does not have the column.

        Returns:
            ``line`` and the fields, null where absent; and apart, as records, the rows with a value that is
            not of its field's type.
        """
        fitting = pl.repeat(self._by_column, len(lines), dtype=pl.Boolean, eager=True)
        columns = {"line": lines}
        once = self._repeating(cells) if self._by_column else {}
        rest = cells.drop(once)
        for column, name in once.items():
            columns[name] = _of_different(cells[column], self._conversions[name].cell)
        for text in self._texts(rest) if self._by_column and rest.columns else ():
            values = self._conversions[text.name].column(text)
            columns[text.name] = values
            if values.null_count() > text.null_count():
                fitting &= values.is_not_null() | text.is_null()
        frame = pl.DataFrame(columns).with_columns(
            (pl.col(name).fill_null(value) if name in columns else pl.lit(value)).alias(name)
            for name, value in self._fixed.items()
        )
        if fitting.all():
            return frame, []
        odd = zip(lines.filter(~fitting), cells.filter(~fitting).iter_rows(named=True), strict=True)
        return frame.filter(fitting), [(line, self.record(row)) for line, row in odd]

    def _repeating(self, cells: pl.DataFrame) -> dict[str, str]:
        """Columns that repeat themselves and alone are read as a field of text, with that field."""
        read = [(column, self._plan(column)[0]) for column in cells.columns]
        times = Counter(name for _, name in read)
        alone = {column: name for column, name in read if name and name in self._of_text and times[name] == 1}
        return {column: alone[column] for column in repeating(cells, list(alone))}

    def _texts(self, cells: pl.DataFrame) -> pl.DataFrame:
        """The text of each field: of several columns read as it, the first that is not empty."""
        several: dict[str, list[pl.Expr]] = {}
        ascii_ = cells.select(pl.all().str.len_bytes().sum() == pl.all().str.len_chars().sum()).row(0)
        for column, plain in zip(cells.columns, ascii_, strict=True):
            name, _ = self._plan(column)
            if name is not None:
                several.setdefault(name, []).append(_trimmed(pl.col(column), plain))
        return cells.select(pl.coalesce(texts).alias(name) for name, texts in several.items())

    def _plan(self, column: str) -> tuple[str | None, Convert]:
        field = self._fields.get(folded(column))
        plan = (field, self._conversions[field].cell if field else str)
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


class _Conversion(NamedTuple):
    """How text becomes a field's value: of one cell, and of a column, null where it cannot."""

    cell: Convert
    column: Callable[[pl.Series], pl.Series]


def _conversion(field: Mapping[str, Any]) -> _Conversion:
    if "x-values" in field:
        return _choice(
            (spelling, id_)
            for id_, value in field["x-values"].items()
            for spelling in (id_, value["zh"], value["en"], *value.get("also", ()))
        )
    if field["type"] == "integer":
        return _Conversion(_integer, _integers)
    return _CASES[field.get("x-case", "")]


def _choice(spellings: Iterable[tuple[str, str]]) -> _Conversion:
    known = _Spellings()
    for spelling, id_ in spellings:
        known[spelling] = known[folded(spelling)] = id_
    return _Conversion(known.__getitem__, known.column)


class _Spellings(dict[str, str]):
    """Spelling → id; an unknown spelling is tried folded, and else stays as it is."""

    def __missing__(self, text: str) -> str:
        return self.get(folded(text), text)

    def column(self, texts: pl.Series) -> pl.Series:
        """Each different text is looked up once."""
        changed = {text: self[text] for text in texts.drop_nulls().unique() if self[text] != text}
        return texts.replace(changed) if changed else texts


def _integer(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else text


def _integers(texts: pl.Series) -> pl.Series:
    signed = texts.str.starts_with("-") | texts.str.starts_with("+")
    short = texts.str.len_bytes() <= _MAX_DIGITS
    return texts.zip_with(short & ~signed, pl.Series([None], dtype=pl.String)).cast(pl.Int64, strict=False)


def _upper(texts: pl.Series) -> pl.Series:
    return texts.str.to_uppercase() if _is_ascii(texts) else texts.map_elements(str.upper, pl.String)


def _lower(texts: pl.Series) -> pl.Series:
    return texts.str.to_lowercase() if _is_ascii(texts) else texts.map_elements(str.lower, pl.String)


_CASES = {
    "": _Conversion(str, pl.Series.clone),
    "upper": _Conversion(str.upper, _upper),
    "lower": _Conversion(str.lower, _lower),
}


def _trimmed(text: pl.Expr, plain: bool) -> pl.Expr:
    """Without blanks around and, where not all is ASCII, invisible characters; null if nothing is left."""
    visible = text if plain else text.str.replace_many([*map(chr, _INVISIBLE)], [""])
    trimmed = visible.str.strip_chars(_ASCII_BLANK if plain else _BLANK)
    return pl.when(trimmed != "").then(trimmed)


def _of_different(texts: pl.Series, convert: Convert) -> pl.Series:
    """A column of text that repeats itself, each different text converted once; null if nothing is left."""
    changed = {}
    for text in texts.drop_nulls().unique():
        visible = _visible(text)
        value = convert(visible) if visible else None
        if value != text:
            changed[text] = value
    return texts.replace(list(changed), pl.Series([*changed.values()], dtype=pl.String)) if changed else texts


def _visible(text: str) -> str:
    """Without invisible characters, and blanks around."""
    return (text if text.isascii() else text.translate(_INVISIBLE)).strip()


def _is_ascii(texts: pl.Series) -> bool:
    return bool(texts.str.len_bytes().sum() == texts.str.len_chars().sum())


def folded(text: str) -> str:
    """What is compared of a header's or value's spelling: no case, blanks, hyphens or underscores."""
    return "".join(text.translate(_INVISIBLE).casefold().split()).replace("_", "").replace("-", "")
