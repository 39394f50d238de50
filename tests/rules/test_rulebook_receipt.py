import itertools
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rulebook_records import ROW, records

from rules.engine.judge import Judge, verdict
from rules.engine.receipt import Remark, list_receipt, receipt
from rules.engine.release import Release


def shuffled(data: st.DataObject, record: dict[str, Any]) -> dict[str, Any]:
    return dict(data.draw(st.permutations(list(record.items()))))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_order_of_keys_and_rows_changes_no_receipt(
    release: Release, judge: Judge, data: st.DataObject
) -> None:
    rows = data.draw(st.lists(records(release, "data-file"), min_size=1, max_size=6))
    again = [shuffled(data, row) for row in data.draw(st.permutations(rows))]
    first, second = (list_receipt(judge, "data-file", several) for several in (rows, again))
    assert first == second
    assert first.digest == second.digest
    assert receipt(judge, "data-file", rows[0]) == receipt(judge, "data-file", shuffled(data, rows[0]))


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_receipt_tells_the_verdict_and_each_remark_and_no_value(
    release: Release, judge: Judge, data: st.DataObject
) -> None:
    canary = "13900139000王小明"
    record = data.draw(records(release, "data-file")) | {"file_name": canary + "\n"}
    findings = judge.judge("data-file", record)
    given_ = receipt(judge, "data-file", record)
    assert given_.verdict == verdict(findings)
    assert given_.remarks == tuple(sorted(Remark(finding.rule, finding.pointer, 1) for finding in findings))
    assert canary not in str(asdict(given_))


def test_whatever_differs_the_digest_differs(release: Release, judge: Judge) -> None:
    stored = Release.from_canonical(release.canonical().replace(b"500", b"300"))
    subject = "data-file"
    receipts = [
        receipt(judge, subject, ROW),
        receipt(judge, subject, ROW | {"md5": "0" * 32}),
        receipt(judge, subject, ROW | {"size_bytes": 1}),
        receipt(judge, subject, ROW | {"size_bytes": True}),
        receipt(Judge(stored), subject, ROW),
        list_receipt(judge, subject, [ROW]),
        list_receipt(judge, subject, [ROW, ROW]),
        list_receipt(judge, subject, []),
    ]
    for first, second in itertools.combinations(receipts, 2):
        assert first.digest != second.digest


def test_a_receipt_counts_what_each_rule_said(judge: Judge) -> None:
    wrong = ROW | {"repository": "omix"}
    given_ = list_receipt(judge, "data-file", [ROW, wrong, wrong])
    assert given_.remarks == (Remark("wgs.raw.repository", "/repository", 2),)
    assert given_.verdict == "refused"
    assert list_receipt(judge, "data-file", [ROW]).verdict == "accepted"


def test_a_better_translation_changes_the_release_and_no_remark(release: Release, judge: Judge) -> None:
    better = Release.from_canonical(release.canonical().replace("应递交至".encode(), "请递交到".encode()))
    wrong = ROW | {"repository": "omix"}
    first, second = (receipt(asked, "data-file", wrong) for asked in (judge, Judge(better)))
    assert first.release != second.release
    assert asdict(first) | {"release": ""} == asdict(second) | {"release": ""}


def test_a_record_that_is_no_json_gets_no_receipt(judge: Judge) -> None:
    with pytest.raises(ValueError, match="not JSON"):
        receipt(judge, "data-file", ROW | {"file_name": "\ud800"})
