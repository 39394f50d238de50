"""Causes and actions in words, and the table between them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.stuck import (
    ACTION_WORDS,
    ACTIONS,
    CAUSES,
    DANGEROUS,
    UNDO,
    WORDS,
    Cause,
    may_be_personal,
    offered,
    plain_type,
)


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_has_words_in_both_languages_and_something_to_do(cause: Cause) -> None:
    assert all(text.zh and text.en for text in WORDS[cause])
    assert "hand_to_support" in offered(cause)
    assert "take_back" in offered(cause, with_support=True)
    assert "hand_to_support" not in offered(cause, with_support=True)
    assert "retry" not in offered(cause, local=True)


def test_every_action_has_words_and_what_can_be_undone_is_not_dangerous() -> None:
    assert set(ACTION_WORDS) == set(ACTIONS)
    assert not DANGEROUS & set(UNDO)
    reachable = {
        action for cause in CAUSES for action in (*offered(cause), *offered(cause, with_support=True))
    }
    assert reachable | set(UNDO.values()) == set(ACTIONS)


DIGITS = st.text("0123456789０１２３４５６７８９", min_size=7, max_size=18)


@given(DIGITS, st.sampled_from(["", " ", "-", " - ", ".", "　", "（"]), st.text(max_size=5))
def test_seven_digits_are_found_however_they_are_written(digits: str, between: str, around: str) -> None:
    assert may_be_personal(around + between.join(digits) + around)


@given(st.text(st.characters(blacklist_categories=["Nd"]), max_size=200))
def test_a_text_without_numbers_is_never_taken_for_one(text: str) -> None:
    assert not may_be_personal(text)


@pytest.mark.parametrize("fine", ["KF-1204", "2026-11 的事故", "重试 3 次", "第 123456 号"])
def test_short_numbers_are_no_phones(fine: str) -> None:
    assert not may_be_personal(fine)


@given(st.text(max_size=100))
def test_a_failure_is_shown_by_a_name_or_not_at_all(text: str) -> None:
    shown = plain_type(text)
    assert shown == "unknown" or (shown == text and shown.isascii() and " " not in shown)
