"""What operators see of a payload: nothing that is not on the list."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload

from api.masking import WORDS, masked
from schemas.errors import ERRORS

FIELDS = ["account_id", "backup_id", "due_at", "number", "report_id", "reason", "state", "step", "unit_code"]
PERSONS = st.sampled_from(
    ["张三", "张 三丰", "Zhang San", "zhang.san@example.org", "13812345678", "11010119900307123X"]
)
documents = st.recursive(
    PERSONS | st.text(alphabet="张王李赵0123456789", min_size=1, max_size=30) | st.integers(min_value=10**10),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | PERSONS, inner, max_size=4)
    ),
    max_leaves=12,
)


def shown(document: Any, encoding: bytes = b"json/plain") -> Any:
    payload = Payload(metadata={"encoding": encoding}, data=json.dumps(document).encode())
    return json.loads(masked(payload).data)


@given(documents)
def test_a_person_is_shown_in_no_field_and_as_no_field(document: Any) -> None:
    text = json.dumps(shown(document), ensure_ascii=False)
    assert not re.search(
        r"[\u4e00-\u9fff]|[Zz]hang|@|1381|1101|[0-9]{11}", re.sub(r"20[0-9]{9,12}", "", text)
    ), text


@pytest.mark.parametrize(
    ("field", "value", "seen"),
    [
        ("state", "waiting_for_deposit", "waiting_for_deposit"),
        ("step", "data-files", "data-files"),
        ("awaiting", ["gsa-human", "genbase"], ["gsa-human", "genbase"]),
        ("revisions", {"project": 3}, {"project": 3}),
        ("due_at", "2026-11-23T05:59:09.123456Z", "2026-11-23T05:59:09.123456Z"),
        ("recheck_every", "P1D", "P1D"),
        ("number", "BF2026112300001", "BF2026112300001"),
        ("release", "2026.11.1", "2026.11.1"),
        ("unit_code", "12990000EX00000106", "12990000EX00000106"),
        ("unit_code", "11010119900307123X", "＊＊＊"),
        ("backup_id", "0b7f6c1e-3d43-5d1c-9c83-5b8f0a4f7f10", "0b7f6c1e…"),
        ("sha256", "a" * 64, "aaaaaaaa…"),
        ("report_id", "13812345678", "＊＊＊"),
        ("errors", 3, 3),
        ("errors", 13812345678, "＊＊＊"),
        ("accepted", True, True),
        ("due_at", None, None),
        ("due_at", "1990-03-07", "＊＊＊"),
        ("report_id", "zhangsan", "＊＊＊"),
    ],
)
def test_a_declared_field_is_shown_as_far_as_its_kind_allows(field: str, value: Any, seen: Any) -> None:
    (told,) = shown({field: value}).values()
    assert told == seen


def test_of_a_failure_the_code_is_shown_and_never_its_text() -> None:
    assert shown({"message": "not_allowed", "stack_trace": "File x"}) == {
        "message": "not_allowed",
        "stack_trace": "",
    }
    assert "not_allowed" in ERRORS
    said = shown({"message": "DETAIL: Key (phone)=(13812345678)", "stack_trace": "File x"})
    assert said == {"message": "＊＊＊", "stack_trace": ""}


def test_a_payload_that_is_no_json_is_masked_whole() -> None:
    assert shown("张三", b"binary/plain") == "＊＊＊"
    payload = Payload(metadata={"encoding": b"json/plain"}, data=b"13812345678 {")
    assert json.loads(masked(payload).data) == "＊＊＊"
    assert WORDS
