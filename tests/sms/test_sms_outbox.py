"""The outbox: a message goes out at most once, whatever fails, and is forgotten after that."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sms_stage import Scripted, Stage
from temporalio.exceptions import ApplicationError

from activities.sms.carrier import NeverError, TryLaterError, UnknownError
from schemas.contracts.sms import MessageOutcome
from settings import Settings

MINUTE = timedelta(minutes=1)


@pytest.fixture
def carrier() -> Scripted:
    return Scripted()


@pytest.fixture
def stage(settings: Settings, carrier: Scripted) -> Iterator[Stage]:
    stage = Stage(settings, carrier)
    yield stage
    stage.engine.dispose()


def test_a_message_is_sent_once_however_often_it_is_enqueued_and_tried(
    stage: Stage, carrier: Scripted
) -> None:
    message = stage.enqueue()
    stage.enqueue(id_=message.id)
    for _ in range(3):
        assert stage.attempt(message) == MessageOutcome(state="sent")
    assert carrier.sent == [message.id]


def test_number_and_code_are_encrypted_until_it_is_sent_and_gone_after(stage: Stage) -> None:
    message = stage.enqueue()
    before = stage.row(message)
    assert before["phone"]
    assert before["code"]
    stage.attempt(message)
    after = stage.row(message)
    assert (after["phone"], after["code"], after["state"]) == (None, None, "sent")


def test_a_limit_is_waited_for_at_the_pace_of_the_carrier(stage: Stage, carrier: Scripted) -> None:
    carrier.answers = [TryLaterError("limited", MINUTE)]
    message = stage.enqueue()
    later = stage.attempt(message)
    assert isinstance(later, ApplicationError)
    assert (later.type, later.non_retryable, later.next_retry_delay) == ("sms_limited", False, MINUTE)
    assert stage.attempt(message) == MessageOutcome(state="sent")
    assert carrier.sent == [message.id]


def test_a_limit_that_outlasts_the_message_ends_it(stage: Stage, carrier: Scripted) -> None:
    carrier.answers = [TryLaterError("limited", timedelta(hours=1))]
    message = stage.enqueue()
    assert stage.attempt(message) == MessageOutcome(state="failed", failure="limited")
    assert stage.row(message)["phone"] is None


def test_what_is_refused_for_good_is_an_outcome_and_not_tried_again(stage: Stage, carrier: Scripted) -> None:
    carrier.answers = [NeverError("number")]
    message = stage.enqueue()
    for _ in range(2):
        assert stage.attempt(message) == MessageOutcome(state="failed", failure="number")
    assert carrier.sent == []


def test_after_silence_the_carrier_is_asked_and_no_second_message_goes_out(
    stage: Stage, carrier: Scripted
) -> None:
    carrier.answers = [UnknownError()]
    message = stage.enqueue()
    silent = stage.attempt(message)
    assert isinstance(silent, ApplicationError)
    assert stage.row(message)["state"] == "unknown"
    assert stage.attempt(message) == MessageOutcome(state="sent")
    assert carrier.sent == [message.id]
