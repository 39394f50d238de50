from pathlib import Path
from typing import Any

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
