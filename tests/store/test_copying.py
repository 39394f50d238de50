import json

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from store.copying import json_objects

TEXT = st.none() | st.text() | st.sampled_from(['"', "\\", "\\n", "a\tb\r\n", "\x00\x1f\x7f", "样本", "{}"])


@given(
    st.lists(st.tuples(TEXT, TEXT, st.none() | st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=8),
)
def test_the_json_of_columns_says_what_each_row_holds_and_nothing_of_what_it_lacks(
    rows: list[tuple[str | None, str | None, int | None]],
) -> None:
    schema = {"file_name": pl.String, "md5": pl.String, "size_bytes": pl.Int64}
    written = json_objects(pl.DataFrame(rows, schema=schema, orient="row"))
    held = [
        {name: value for name, value in zip(schema, row, strict=True) if value is not None} for row in rows
    ]
    assert [json.loads(text) for text in written] == held
