"""Judges lists of any length: a short stretch row by row, a long one by column where its form allows it."""

from collections.abc import Sequence
from functools import cached_property
from operator import itemgetter

import polars as pl

from rules.engine.judge import Judge
from rules.engine.table import DecisionTable, Row, judged_by_row

_LONG = 3_000
"""Rows from which on judging by column is quicker: setting it up costs as much as so many rows."""


class ListJudge:
    """Judges one list (清单校验), stretch by stretch. For one thread."""

    def __init__(self, judge: Judge, subject: str) -> None:
        """Prepares for one list.

        Args:
            judge: Says what is right.
            subject: The form of one row.
        """
        self._judge, self._subject = judge, subject

    @cached_property
    def _table(self) -> DecisionTable | None:
        try:
            return DecisionTable(self._judge, self._subject)
        except ValueError:  # a field holds several values
            return None

    def frame(self, frame: pl.DataFrame, odd: Sequence[Row] = ()) -> pl.DataFrame:
        """Every finding on rows by column, as :meth:`RowNormaliser.frame` gives them.

        Args:
            frame: ``line`` and the fields; null is absent.
            odd: Rows that have no place in these columns.

        Returns:
            ``line``, ``rule``, ``severity``, ``pointer``, by line.
        """
        if len(frame) >= _LONG and self._table is not None:
            return self._table.judge(frame, odd)
        rows = [
            (row.pop("line"), {name: value for name, value in row.items() if value is not None})
            for row in frame.iter_rows(named=True)
        ]
        return judged_by_row(self._judge, self._subject, sorted([*rows, *odd], key=itemgetter(0)))

    def records(self, rows: Sequence[Row]) -> pl.DataFrame:
        """Every finding on records; otherwise as :meth:`frame`."""
        if len(rows) >= _LONG and self._table is not None:
            return self._table.judge(*self._table.frame(rows))
        return judged_by_row(self._judge, self._subject, rows)
