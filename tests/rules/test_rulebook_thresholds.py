import json
from typing import Any

import pytest

from rules.engine.patterns import explodes
from rules.engine.release import Release
from rules.engine.thresholds import untried_thresholds


@pytest.mark.parametrize(
    ("counts", "absent"),
    [
        ([499, 500, 501], None),
        ([499, 501], "500"),
        ([100, 501], "499, 500"),
        ([], "499, 500, 501"),
        ([499, 500, 501.0], "501"),
        ([499, 500, True], "501"),
    ],
)
def test_a_threshold_without_cases_on_its_edge_is_reported(
    release: Release, counts: list[Any], absent: str | None
) -> None:
    records = [{"individual_count": count} for count in counts]
    failures = list(untried_thresholds(release, "backup-information", records))
    assert [failure.case for failure in failures] == ["security-review-500"] * (absent is not None)
    for failure in failures:
        assert failure.what.en.endswith(f"add cases where individual_count is {absent}.")


def test_a_changed_threshold_needs_its_own_cases(release: Release) -> None:
    changed = Release(
        json.loads(release.canonical().replace(b'"exclusiveMinimum":500', b'"exclusiveMinimum":300'))
    )
    records = [{"individual_count": count} for count in (499, 500, 501)]
    (failure,) = untried_thresholds(changed, "backup-information", records)
    assert "299, 300, 301" in failure.what.en


@pytest.mark.parametrize(
    ("pattern", "explosive"),
    [
        ("^([0-9]+)+$", True),
        ("^(a|aa)+$", True),
        ("^(a?)*$", True),
        ("^((ab)*)*$", True),
        ("^([a-z.]+\\.)+$", True),
        ("^([a-z0-9-]+\\.)+[a-z]{2,}$", False),
        ("^(-[0-9]+)*$", False),
        ("^(ab)+$", False),
        ("^(|)*$", True),
        ("^(+)*$", True),
        ("^OMIX[0-9]{6,}(-[0-9]{2,})?$", False),
    ],
)
def test_a_pattern_that_repeats_what_can_match_in_several_ways_is_known(
    pattern: str, explosive: bool
) -> None:
    assert explodes(pattern) == explosive
