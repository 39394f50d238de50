"""COPY of whole columns: PostgreSQL reads the CSV that the columns write."""

from typing import Any

import orjson
import polars as pl
import psycopg

from store.database import Writer

_SLICE = 3_000
"""Rows whose text is held in memory at once."""
_TO_ESCAPE = r'["\\\x00-\x1f]'
_ESCAPED = {chr(code): f"\\u{code:04x}" for code in range(32)} | {'"': '\\"', "\\": "\\\\"}


def copy_frame(writer: Writer, table: str, frame: pl.DataFrame, **constants: object) -> None:
    """Add the rows of a frame to a table.

    Args:
        writer: The transaction.
        table: Its name.
        frame: Text and numbers, in columns named as the table's.
        constants: Columns that are the same in every row.
    """
    if frame.is_empty():
        return
    whole = frame.with_columns(pl.lit(str(value)).alias(name) for name, value in constants.items())
    names = ", ".join(f'"{name}"' for name in whole.columns)
    with cursor(writer) as sender, sender.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT csv)") as copy:
        for part in whole.iter_slices(_SLICE):
            copy.write(part.write_csv(include_header=False))


def cursor(writer: Writer) -> psycopg.Cursor[Any]:
    """A cursor of the driver: only it can COPY."""
    connection = writer.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)  # noqa: S101  (tells the type)
    return connection.cursor()


def json_objects(frame: pl.DataFrame) -> pl.Series:
    """Each row as a JSON object of what is there; columns are text or whole numbers."""
    members = [
        pl.concat_str(pl.lit(orjson.dumps(name).decode() + ":"), _json(frame[name])) for name in frame.columns
    ]
    inside = pl.concat_str(members, separator=",", ignore_nulls=True)
    return frame.select(pl.concat_str(pl.lit("{"), inside, pl.lit("}"))).to_series()


def _json(values: pl.Series) -> pl.Expr:
    if values.dtype != pl.String:
        return pl.lit(values.cast(pl.String))
    if values.str.contains(_TO_ESCAPE).any():
        values = values.str.replace_many(_ESCAPED)
    return pl.concat_str(pl.lit('"'), pl.lit(values), pl.lit('"'))
