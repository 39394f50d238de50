"""Judges rows by column: equal rows once, by the same judge as single records, and joins its answers back.

A row is reduced to its cell: which fields are there and which atoms of the rules their values satisfy. The
rules cannot tell two rows of one cell apart, so the judge is asked about one of them. The cells and what was
answered make the decision table.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
        self._columns = [
            column
            for name, kind in self.schema.items()
            for column in _columns(name, kind, found.get(name, []))
        ]
        self._orders = [
            _Bits(1, pl.col(rule.order[0]) > pl.col(rule.order[1])) for rule in rules if rule.order
        ]
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
        cells = self._keys(frame).with_columns(frame["line"]).with_row_index("row")
        groups = cells.group_by(pl.exclude("row", "line")).agg(pl.col("line"), pl.col("row").first())
        said = [
            (group, place, *finding[:3])
            for group, (*cell, row) in enumerate(groups.drop("line").iter_rows())
            for place, finding in enumerate(self._decided(tuple(cell), frame, row))
        ]
        schema = {"group": pl.UInt32, "place": pl.UInt32, **FOUND}
        del schema["line"]
        answers = pl.DataFrame(said, schema=schema, orient="row")
        found = (
            answers.with_columns(groups["line"].gather(answers["group"]))
            .explode("line")
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
        absent = {name: pl.lit(None, kind) for name, kind in self.schema.items() if name not in frame.columns}
        whole = frame.with_columns(**absent).with_columns(
            column.values.alias(column.name) for column in self._columns
        )
        dear = [column.name for column in self._columns if column.dear]
        once = repeating(whole, dear)
        parts = [
            part
            for column in self._columns
            for part in (column.of_different(whole) if column.name in once else column.bits)
        ]
        words = _packed([*parts, *self._orders])
        return whole.select(word.codes.alias(f"cell{nth}") for nth, word in enumerate(words))

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


def repeating(frame: pl.DataFrame, columns: list[str]) -> list[str]:
    """Those of some columns whose different values are few, judged by a sample."""
    if not columns or frame.is_empty():
        return []
    sample = frame.select(pl.col(columns).gather_every(len(frame) // _SAMPLE + 1))
    counts = sample.select(pl.all().n_unique()).row(0)
    return [column for column, count in zip(columns, counts, strict=True) if count <= len(sample) // 4]


class _Bits(NamedTuple):
    """A part of the cells' keys: so many bits of each row."""

    width: int
    codes: pl.Expr


class _Column:
    """How the values of a field, or the endings of its texts, become bits.

    Attributes:
        name: Of the column that holds them.
        values: How that column is made of the frame.
        bits: The bits of each value.
        dear: Whether it is worth while to look at equal values once.
    """

    def __init__(self, name: str, values: pl.Expr, bits: list[_Bits], *, dear: bool) -> None:
        self.name, self.values, self.bits, self.dear = name, values, _packed(bits), dear
        self._known = _Known()

    def of_different(self, frame: pl.DataFrame) -> list[_Bits]:
        """The bits of each value; each different one is asked about once as long as it is remembered."""
        values, known = frame[self.name].drop_nulls().unique(), self._known
        if values.is_empty():
            return [_Bits(width, pl.repeat(0, pl.len(), dtype=pl.UInt64)) for width, _ in self.bits]
        if not known.codes.keys() >= {*values}:
            known.learn(
                values,
                values.to_frame().select(part.codes.alias(str(nth)) for nth, part in enumerate(self.bits)),
            )
        told = [known.codes[value] for value in values]
        return [
            _Bits(
                width,
                pl.col(self.name).replace_strict(
                    values, pl.Series(codes, dtype=pl.UInt64), default=0, return_dtype=pl.UInt64
                ),
            )
            for (width, _), codes in zip(self.bits, zip(*told, strict=True), strict=True)
        ]


def _columns(name: str, kind: Any, found: list[Atom]) -> Iterator[_Column]:
    """How a field becomes bits: one for being there, and one for each atom."""
    values = pl.col(name)
    bits = [_Bits(1, values.is_not_null())]
    named = sorted({value for atom in found for value in atom.texts})
    if named:
        known = values.cast(pl.Enum(named), strict=False).to_physical()
        bits.append(_Bits(len(named).bit_length(), known.cast(pl.UInt64) + 1))
    by_value = [atom for atom in found if not atom.endings and not atom.texts]
    bits += [_Bits(1, atom.holds(values, kind)) for atom in by_value]
    yield _Column(name, values, bits, dear=bool(by_value))
    by_ending = [atom for atom in found if atom.endings]
    if by_ending:  # of the endings looked for, the longest a text has tells the others
        endings = sorted({ending for atom in by_ending for ending in atom.endings})
        length = values.str.len_bytes() - values.str.find(f"({'|'.join(endings)})$")
        told = [_Bits(1, atom.holds(pl.col(f"{name} ending"), kind)) for atom in by_ending]
        yield _Column(f"{name} ending", values.str.tail(length), told, dear=True)


class _Known:
    """Bits of the values met so far."""

    def __init__(self) -> None:
        self.codes: dict[Any, tuple[int, ...]] = {}

    def learn(self, values: pl.Series, codes: pl.DataFrame) -> None:
        """Remember these, beside all others or, when those are too many, instead of them."""
        if len(self.codes) > _CELLS:
            self.codes.clear()
        self.codes |= zip(values, codes.iter_rows(), strict=True)


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
