from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rules.engine.load import load_rulebook
from store.manifests import Tally


@pytest.fixture(scope="module")
def tally() -> Tally:
    return Tally(load_rulebook(Path("rules")))


def test_only_what_the_release_knows_is_counted(tally: Tally) -> None:
    nonsense: list[Any] = ["张三", 7, None, "x" * 4096, True]
    for value in nonsense:
        tally.count({"category": value, "repository": value, "deposit": "in_transit"})
    tally.count({"category": "wgs", "repository": "gvm", "deposit": "in_transit"})
    tally.count({"category": "wes", "repository": "gsa-human", "deposit": "deposited"})
    assert tally.rows == len(nonsense) + 2
    assert tally.categories == {"wgs", "wes"}
    assert tally.repositories == {"gvm", "gsa-human"}
    assert tally.in_transit == {"gvm"}


def test_rows_by_column_count_as_each_of_them_does() -> None:
    release, rows = load_rulebook(Path("rules")), [("wgs", "gvm", "in_transit"), ("张三", "omix", None)] * 3
    tally, single = Tally(release), Tally(release)
    tally.count_all(pl.DataFrame(rows, schema=["category", "repository", "deposit"], orient="row"))
    tally.count_all(pl.DataFrame({"file_name": ["a.bam", "b.bam"]}))
    for category, repository, deposit in rows:
        single.count({"category": category, "repository": repository, "deposit": deposit})
    assert tally.rows == single.rows + 2
    assert (
        (tally.categories, tally.repositories)
        == (single.categories, single.repositories)
        == (
            {"wgs"},
            {"gvm", "omix"},
        )
    )
    assert tally.in_transit == single.in_transit == {"gvm"}
