"""Judges rows by column: equal rows once, by the same judge as single records, and joins its answers back.

A row is reduced to its cell: which fields are there and which atoms of the rules their values satisfy. The
rules cannot tell two rows of one cell apart, so the judge is asked about one of them. The cells and what was
answered make the decision table.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import polars as pl

from rules.engine.atoms import Atom, atoms
from rules.engine.forms import unguarded
from rules.engine.judge import Judge
from rules.engine.rule import schema_of
from schemas.findings import Finding

CHUNK = 200_000
"""Rows held in memory at once."""
_CELLS = 50_000
"""Cells, and values of a column, remembered; beyond, all are forgotten and asked anew."""
_WORD = 60
"""Bits of a cell's key in one integer."""
_SAMPLE = 1_000
"""Values looked at to guess whether a column repeats itself."""

_KINDS: Mapping[str, tuple[type, Any]] = {
    "string": (str, pl.String),
    "integer": (int, pl.Int64),
    "boolean": (bool, pl.Boolean),
}

FOUND: Mapping[str, Any] = {
    "line": pl.Int64,
    "rule": pl.String,
    "severity": pl.String,
    "pointer": pl.String,
}
"""Columns of findings on the rows of a list."""

Row = tuple[int, Mapping[str, Any]]
"""Line number and record."""
Cell = tuple[int, ...]


class DecisionTable:
    """What the rules say of each cell (判定表) of one subject, filled in as cells occur."""

    def __init__(self, judge: Judge, subject: str) -> None:
        """Cuts the subject's rules into atoms.

        Args:
            judge: Says what is right.
            subject: A form whose fields are single values.

        Raises:
            KeyError: There is no such subject.
            ValueError: Its rules cannot be decided field by field, or a field holds several values.
        """
        form = judge.release.subject_form(subject)
        kinds = {name: field["type"] for name, field in form.get("properties", {}).items()}
        if not kinds or {*kinds.values()} - _KINDS.keys():
            raise ValueError(f"{subject} is not judged by column")
        self._judge, self._subject = judge, subject
        self._python = {name: _KINDS[kind][0] for name, kind in kinds.items()}
        self.schema = {name: _KINDS[kind][1] for name, kind in kinds.items()}
        rules = judge.release.subject_rules(subject)
        found = atoms(unguarded(schema_of(form, judge.release.schema_rules(subject))))
        self._columns = [_Column(name, found.get(name, [])) for name in kinds]
        self._orders = [rule.order for rule in rules if rule.order]
        self._decisions: dict[Cell, list[Finding]] = {}

    def judge(self, frame: pl.DataFrame, odd: Sequence[Row] = ()) -> pl.DataFrame:
        """Every finding on every row.

        Args:
            frame: ``line``, and the subject's fields in the types of :attr:`schema`; null is absent. Fields
                that no row has may be left out.
            odd: Rows that do not fit into such a frame, to be judged one by one.

        Returns:
            The columns of :data:`FOUND`: by line, and on each line as the judge orders them.

        Raises:
            ValueError: There is a column the subject does not have, or one of another type.
        """
        for name, kind in frame.schema.items():
            if kind != {"line": pl.Int64, **self.schema}.get(name):
                raise ValueError(f"the subject has no such column: {name}, {kind}")
        keys = self._keys(frame)
        words = keys.columns
        firsts = keys.with_row_index("row").group_by(words).agg(pl.col("row").first())
        said = [
            (*cell, place, *finding[:3])
            for *cell, row in firsts.iter_rows()
            for place, finding in enumerate(self._decided(tuple(cell), frame, row))
        ]
        schema = {**dict.fromkeys(words, pl.UInt64), "place": pl.UInt32, **FOUND}
        del schema["line"]
        answers = pl.DataFrame(said, schema=schema, orient="row")
        found = (
            keys.with_columns(frame["line"])
            .join(answers, on=words)
            .sort("line", "place")
            .select(FOUND.keys())
        )
        if odd:
            apart = judged_by_row(self._judge, self._subject, odd)
            found = pl.concat([found, apart]).sort("line", maintain_order=True)
        return found

    def frame(self, rows: Iterable[Row]) -> tuple[pl.DataFrame, list[Row]]:
        """Rows as columns, and apart those that do not fit: unknown fields, values of another kind."""
        several = list(rows)
        columns = self._values(several)
        if self._all_fit(columns, several):
            try:
                return self._frame(columns, several), []
            except (TypeError, UnicodeEncodeError):  # a number too great, a lone surrogate: which row?
                pass
        fitting = [row for row in several if self._fits(row[1])]
        odd = [row for row in several if not self._fits(row[1])]
        return self._frame(self._values(fitting), fitting), odd

    def _values(self, rows: list[Row]) -> dict[str, list[Any]]:
        return {name: [record.get(name) for _, record in rows] for name in self.schema}

    def _frame(self, columns: dict[str, list[Any]], rows: list[Row]) -> pl.DataFrame:
        lines = [line for line, _ in rows]
        return pl.DataFrame({"line": lines, **columns}, schema={"line": pl.Int64, **self.schema})

    def _all_fit(self, columns: dict[str, list[Any]], rows: list[Row]) -> bool:
        """Asked of all rows at once: no value is of another kind, and no row has more than known fields."""
        present = 0
        for name, values in columns.items():
            if not {*map(type, values)} <= {self._python[name], type(None)}:
                return False
            present += len(values) - values.count(None)
        return present == sum(len(record) for _, record in rows)

    def _fits(self, record: Mapping[str, Any]) -> bool:
        return all(
            type(value) is self._python.get(name) and _storable(value) for name, value in record.items()
        )

    def _keys(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The cell of each row: as many integers as its bits need, the same bits for every frame."""
        parts: list[_Bits] = []
        for column in self._columns:
            absent = pl.repeat(None, len(frame), dtype=self.schema[column.name], eager=True)
            parts += column.bits(frame.get_column(column.name, default=absent))
        for first, second in self._orders:
            if first in frame.columns and second in frame.columns:
                parts.append(_Bits(1, frame[first] > frame[second]))
            else:
                parts.append(_Bits(1, pl.repeat(False, len(frame), dtype=pl.Boolean, eager=True)))
        return pl.DataFrame([part.codes.alias(f"cell{i}") for i, part in enumerate(_packed(parts))])

    def _decided(self, cell: Cell, frame: pl.DataFrame, row: int) -> list[Finding]:
        """What the judge says of this cell, asked about one row of it."""
        if cell not in self._decisions:
            if len(self._decisions) >= _CELLS:
                self._decisions.clear()
            values = frame.drop("line").row(row, named=True)
            record = {name: value for name, value in values.items() if value is not None}
            self._decisions[cell] = self._judge.judge(self._subject, record)
        return self._decisions[cell]


def judge_columns(
    judge: Judge, subject: str, rows: Iterable[Row], chunk: int = CHUNK
) -> Iterator[pl.DataFrame]:
    """Every finding on every row, in chunks of rows; nothing else is kept.

    Args:
        judge: Says what is right.
        subject: The form of one row.
        rows: Line number and record.
        chunk: Rows held in memory at once.

    Yields:
        The columns of :data:`FOUND`, by line.

    Raises:
        ValueError: The subject is not judged by column, or a record is not JSON.
    """
    table, remaining = DecisionTable(judge, subject), iter(rows)
    while part := list(islice(remaining, chunk)):
        yield table.judge(*table.frame(part))


def judged_by_row(judge: Judge, subject: str, rows: Iterable[Row]) -> pl.DataFrame:
    """Every finding on rows judged one by one, in the columns of :data:`FOUND` and the order of the rows."""
    found = [(line, *finding[:3]) for line, record in rows for finding in judge.judge(subject, record)]
    return pl.DataFrame(found, schema=FOUND, orient="row")


class _Bits(NamedTuple):
    """A part of the cells' keys: so many bits of each row."""

    width: int
    codes: pl.Series

    def for_each(self, series: pl.Series, values: pl.Series) -> "_Bits":
        """The bits of a column, where these are the bits of its different values."""
        if values.is_empty():
            return _Bits(self.width, pl.repeat(0, len(series), dtype=pl.UInt64, eager=True))
        codes = series.replace_strict(values, self.codes, default=0, return_dtype=pl.UInt64)
        return _Bits(self.width, codes)


class _Column:
    """How one field's values become bits: one for being there, and one for each atom."""

    def __init__(self, name: str, found: list[Atom]) -> None:
        self.name = name
        self._named = sorted({value for atom in found for value in atom.texts})
        self._endings = sorted({ending for atom in found for ending in atom.endings})
        self._by_ending = [atom for atom in found if atom.endings]
        self._by_value = [atom for atom in found if not atom.endings and not atom.texts]
        self._values, self._endings_met = _Known(), _Known()

    def bits(self, series: pl.Series) -> list[_Bits]:
        """The parts of these values; different values are looked at once where they repeat."""
        if not (self._by_value or self._by_ending):
            return self._of_each(series)
        sample = series.sample(min(_SAMPLE, len(series)), seed=0)
        if sample.n_unique() > len(sample) // 4:
            return self._of_each(series)
        return self._of_different(series, self._values, self._of_each)

    def _of_each(self, series: pl.Series) -> list[_Bits]:
        parts = [_Bits(1, series.is_not_null())]
        if self._named:
            known = series.cast(pl.Enum(self._named), strict=False).to_physical()
            parts.append(_Bits(len(self._named).bit_length(), known.cast(pl.UInt64) + 1))
        parts += [_Bits(1, atom.holds(series)) for atom in self._by_value]
        if self._by_ending:  # of the endings looked for, the longest a text has tells the others
            length = series.str.len_bytes() - series.str.find(f"({'|'.join(self._endings)})$")
            parts += self._of_different(series.str.tail(length), self._endings_met, self._of_endings)
        return _packed(parts)

    def _of_endings(self, endings: pl.Series) -> list[_Bits]:
        return _packed([_Bits(1, atom.holds(endings)) for atom in self._by_ending])

    def _of_different(
        self, series: pl.Series, known: "_Known", ask: Callable[[pl.Series], list[_Bits]]
    ) -> list[_Bits]:
        """The parts of these values; each different one is asked about once as long as it is remembered."""
        values = series.drop_nulls().unique()
        if not known.widths or not known.codes.keys() >= {*values}:
            known.learn(values, ask(values))
        return [
            _Bits(width, pl.Series([known.codes[value][nth] for value in values], dtype=pl.UInt64)).for_each(
                series, values
            )
            for nth, width in enumerate(known.widths)
        ]


class _Known:
    """Bits of the values met so far."""

    def __init__(self) -> None:
        self.widths: list[int] = []
        self.codes: dict[Any, tuple[int, ...]] = {}

    def learn(self, values: pl.Series, parts: list[_Bits]) -> None:
        """Remember these, beside all others or, when those are too many, instead of them."""
        if len(self.codes) > _CELLS:
            self.codes.clear()
        self.widths = [part.width for part in parts]
        self.codes |= zip(values, zip(*(part.codes for part in parts), strict=True), strict=True)


def _packed(parts: list[_Bits]) -> list[_Bits]:
    """The same bits in as few integers as they need."""
    words: list[_Bits] = []
    for width, codes in parts:
        number = codes.cast(pl.UInt64).fill_null(0)
        if words and words[-1].width + width <= _WORD:
            filled, word = words[-1]
            words[-1] = _Bits(filled + width, word + number * (1 << filled))
        else:
            words.append(_Bits(width, number))
    return words


def _storable(value: Any) -> bool:
    if isinstance(value, str):
        return value.isascii() or value.encode(errors="replace").decode() == value
    return -(2**63) <= int(value) < 2**63
