"""The search for canaries finds what it is meant to find."""

import base64
import json
from urllib.parse import quote

import pytest
from canary import Search
from hypothesis import given
from hypothesis import strategies as st

NAME = "欧阳𠮷示例甲乙"
PHONE = "+8615412345678"
EMAIL = "kanarienvogel-7f3a@example.org"
WRITTEN = {
    "as UTF-8": str.encode,
    "as UTF-16": lambda value: value.encode("utf-16"),
    "as UTF-16, big end first": lambda value: value.encode("utf-16-be"),
    "as GB18030": lambda value: value.encode("gb18030"),
    "escaped in JSON": lambda value: json.dumps({"": value}).encode(),
    "in upper-case hex": lambda value: value.encode().hex().upper().encode(),
    "in base64": lambda value: base64.b64encode(value.encode()),
    "in base64 of UTF-16": lambda value: base64.b64encode(value.encode("utf-16-le")),
    "in an address": lambda value: quote(value, safe="").encode(),
}


@pytest.mark.parametrize("value", [NAME, PHONE, EMAIL])
@pytest.mark.parametrize("write", WRITTEN.values(), ids=WRITTEN)
def test_a_canary_is_found_however_it_is_written(value: str, write: object) -> None:
    assert callable(write)
    search = Search({"it": value})
    search.look("here", b"before " + write(value) + b" behind")
    assert {(hit.place, hit.canary) for hit in search.hits} == {("here", "it")}


@given(
    before=st.binary(max_size=40), behind=st.binary(max_size=40), value=st.sampled_from([NAME, PHONE, EMAIL])
)
def test_base64_hides_no_canary_wherever_it_begins(before: bytes, behind: bytes, value: str) -> None:
    search = Search({"it": value})
    search.look("here", base64.b64encode(before + value.encode() + behind))
    assert search.hits


@pytest.mark.parametrize(
    "grouped", ["154 1234 5678", "154-1234-5678", "(154) 1234.5678", "+86 154 1234 5678"]
)
def test_a_phone_number_is_found_in_groups(grouped: str) -> None:
    search = Search({"phone": "15412345678"})
    search.look("here", f'{{"contact": "{grouped}"}}')
    assert [hit.spelling for hit in search.hits] == ["digits"]


@given(st.binary(max_size=2_000))
def test_noise_holds_no_canary(noise: bytes) -> None:
    search = Search({"name": NAME, "phone": PHONE, "e-mail": EMAIL})
    search.look("noise", noise)
    assert str(search) == f"0 hits in 1 events / {len(noise) / (1 << 20):.1f} MiB"
