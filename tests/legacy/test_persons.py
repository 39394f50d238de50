"""Spellings of names and phones: what means the same becomes the same, what cannot be is told why."""

from pathlib import Path

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.engine.load import load_rulebook
from rules.engine.persons import folded, normalise_name, normalise_phone, unit_code
from rules.engine.procedures import Matching
from schemas.errors import Refusal


@pytest.fixture(scope="module")
def rules() -> Matching:
    return load_rulebook(Path("rules")).procedure("claiming").matching


@given(text=st.text(max_size=30))
def test_what_is_normalised_stays_as_it_is(rules: Matching, text: str) -> None:
    try:
        once = normalise_name(text, rules)
    except Refusal:
        return
    assert normalise_name(once, rules) == once


@given(name=st.text(st.characters(min_codepoint=0x3400, max_codepoint=0x9FFF), min_size=2, max_size=6))
def test_a_character_means_the_same_beside_any_other(rules: Matching, name: str) -> None:
    assert folded(name, rules.name) == "".join(folded(character, rules.name) for character in name)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("张\u0007华", "name_unreadable"),
        ("张\u200b华", "name_unreadable"),
        ("张" * 10_000, "name_too_long"),
        ("\ufdfa" * 60, "name_too_long"),
        (" \t\n", "name_missing"),
    ],
    ids=["control", "invisible", "long", "long_when_written_out", "blank"],
)
def test_no_name_is_made_of_what_no_name_has(rules: Matching, written: str, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        normalise_name(written, rules)
    assert refused.value.error.code == code
    assert written not in str(refused.value) + repr(refused.value.facts)


def test_a_compatibility_character_is_the_plain_one(rules: Matching) -> None:
    assert normalise_name("\uf9e1", rules) == normalise_name("李", rules)


@given(digits=st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True))
def test_a_number_as_dialled_is_what_the_search_would_find(rules: Matching, digits: str) -> None:
    found = phonenumbers.parse(digits, "CN")
    try:
        normal = normalise_phone(digits, rules)
    except Refusal:
        assert phonenumbers.number_type(found) != phonenumbers.PhoneNumberType.MOBILE
        return
    assert normal == phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)
    for spelling in (f"+86 {digits}", f"0086{digits}", f"{digits[:3]}-{digits[3:7]} {digits[7:]}"):
        assert normalise_phone(spelling, rules) == normal


@given(text=st.text(max_size=50))
def test_a_phone_is_a_mobile_number_of_the_rule_file_or_refused(rules: Matching, text: str) -> None:
    try:
        outcome = normalise_phone(text, rules)
    except Refusal as refusal:
        outcome = refusal.error.code
    assert outcome.startswith(("phone_", "+861"))


def test_another_country_counts_where_the_rule_file_names_it(rules: Matching) -> None:
    phone = rules.phone.model_copy(update={"countries": ("CN", "HK")})
    wider = rules.model_copy(update={"phone": phone})
    assert normalise_phone("+852 5123 4567", wider) == "+85251234567"
    assert normalise_phone("13800138000", wider) == "+8613800138000"
    with pytest.raises(Refusal, match="phone_not_mobile"):
        normalise_phone("+852 2123 4567", wider)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("１２１０００００４０００１２３４５ｘ", "12100000400012345X"),
        ("某某医院", None),
        ("12100000400012345", None),
    ],
)
def test_a_unit_is_a_code_only_when_it_looks_like_one(written: str, code: str | None) -> None:
    assert unit_code(written) == code
