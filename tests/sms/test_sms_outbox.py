"""The outbox: a message goes out at most once, whatever fails, and is forgotten after that."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from sms_stage import CODE, MINUTE, PHONE, Answer, Scripted, Stage
from sqlalchemy import Engine
from sqlalchemy.exc import NoResultFound
from structlog.testing import capture_logs
from temporalio.exceptions import ApplicationError

from schemas.contracts.sms import MessageOutcome, SendMessage
from settings import Settings
from store import sms
from store.database import writing


@pytest.fixture
def carrier() -> Scripted:
    return Scripted()


@pytest.fixture
def stage(settings: Settings, engine: Engine, carrier: Scripted) -> Stage:
    return Stage(settings, engine, carrier)


def test_a_message_is_sent_once_however_often_it_is_enqueued_and_tried(
    stage: Stage, carrier: Scripted
) -> None:
    message = stage.enqueue()
    for _ in range(3):
        assert stage.attempt(message) == MessageOutcome(state="sent")
        stage.enqueue(id_=message.id)
    assert carrier.sent == [message.id]


def test_number_and_code_are_encrypted_until_it_is_sent_and_gone_after(stage: Stage) -> None:
    message = stage.enqueue()
    before = stage.row(message)
    for column, clear in (("phone", PHONE), ("code", CODE)):
        assert before[column]
        assert clear.encode() not in before[column]
    stage.attempt(message)
    after = stage.row(message)
    assert (after["phone"], after["code"], after["state"]) == (None, None, "sent")


def test_what_was_never_enqueued_is_not_sent(stage: Stage, carrier: Scripted) -> None:
    with pytest.raises(NoResultFound):
        stage.activities.send_message(SendMessage(message_id=uuid4()))
    assert carrier.sent == []


def test_a_limit_is_waited_for_at_the_pace_of_the_carrier(stage: Stage, carrier: Scripted) -> None:
    carrier.script = ["limited"]
    message = stage.enqueue()
    later = stage.attempt(message)
    assert isinstance(later, ApplicationError)
    assert (later.type, later.non_retryable, later.next_retry_delay) == ("sms_limited", False, MINUTE)
    assert stage.row(message)["state"] == "pending"
    assert stage.attempt(message) == MessageOutcome(state="sent")


@pytest.mark.parametrize(("answer", "failure"), [("too long", "limited"), ("refused", "number")])
def test_what_will_not_be_sent_in_time_is_an_outcome_and_not_tried_again(
    stage: Stage, carrier: Scripted, answer: Answer, failure: str
) -> None:
    carrier.script = [answer]
    message = stage.enqueue()
    for _ in range(2):
        assert stage.attempt(message) == MessageOutcome.model_validate(
            {"state": "failed", "failure": failure}
        )
    assert (carrier.sent, stage.row(message)["phone"]) == ([], None)


@effort(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=st.lists(st.sampled_from(get_args(Answer)), max_size=6), away=st.integers(0, 3))
def test_whatever_fails_no_message_goes_out_twice_and_the_outcome_is_the_truth(
    stage: Stage, carrier: Scripted, script: list[Answer], away: int
) -> None:
    carrier.script, carrier.away = list(script), away
    message = stage.enqueue()
    outcome = stage.outcome(message)
    assert carrier.sent.count(message.id) == (outcome.state == "sent")
    row = stage.row(message)
    assert (row["state"], row["failure"], row["phone"], row["code"]) == (
        outcome.state,
        outcome.failure,
        None,
        None,
    )


def test_attempts_at_once_send_one_message(stage: Stage, carrier: Scripted) -> None:
    carrier.settled_after = MINUTE
    message = stage.enqueue()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: stage.attempt(message), range(16)))
    assert carrier.sent == [message.id]


def test_an_attempt_that_may_still_run_is_not_overtaken(stage: Stage, carrier: Scripted) -> None:
    carrier.settled_after = MINUTE
    carrier.script = ["died before"]
    message = stage.enqueue()
    assert stage.attempt(message) is None
    waits = stage.attempt(message)
    assert isinstance(waits, ApplicationError)
    assert waits.type == "sms_unknown"
    assert waits.next_retry_delay is not None
    assert MINUTE - timedelta(seconds=20) < waits.next_retry_delay <= MINUTE
    assert carrier.sent == []
    carrier.settled_after = timedelta()
    assert stage.attempt(message) == MessageOutcome(state="sent")


def test_what_stays_unknown_until_it_has_lost_its_use_is_not_sent_again(
    stage: Stage, carrier: Scripted
) -> None:
    carrier.script = ["lost before"]
    carrier.settled_after = timedelta(hours=1)
    message = stage.enqueue()
    assert stage.attempt(message) == MessageOutcome(state="unknown")
    assert stage.row(message)["phone"] is None
    assert stage.attempt(message) == MessageOutcome(state="unknown")
    assert carrier.sent == []


def test_what_another_carrier_may_have_sent_is_not_sent_again(stage: Stage, carrier: Scripted) -> None:
    carrier.script = ["lost before"]
    message = stage.enqueue(valid=MINUTE)
    assert isinstance(stage.attempt(message), ApplicationError)
    carrier.name, carrier.settled_after = "tencent", MINUTE
    assert stage.attempt(message) == MessageOutcome(state="unknown")
    assert carrier.sent == []


def test_a_message_that_has_lost_its_use_is_not_sent_and_forgotten_by_the_next_attempt_at_any(
    stage: Stage, carrier: Scripted
) -> None:
    late, later = stage.enqueue(timedelta(seconds=-1)), stage.enqueue(timedelta(seconds=-1))
    assert stage.attempt(late) == MessageOutcome(state="failed", failure="expired")
    assert stage.row(later)["phone"] is None
    assert carrier.sent == []


def test_what_a_carrier_raises_unforeseen_is_not_told(stage: Stage, carrier: Scripted) -> None:
    def fail() -> None:
        raise RuntimeError(f"{PHONE} {CODE}")

    carrier.meanwhile = fail
    message = stage.enqueue()
    with capture_logs() as logs:
        error = stage.attempt(message)
    assert isinstance(error, ApplicationError)
    assert error.__cause__ is None
    assert CODE not in f"{error!r} {error.details} {logs}"
    carrier.meanwhile = lambda: None
    assert stage.outcome(message) == MessageOutcome(state="sent")
    assert carrier.sent == [message.id]


def test_a_receipt_before_the_answer_stands(stage: Stage, carrier: Scripted) -> None:
    message = stage.enqueue()

    def report() -> None:
        with writing(stage.engine) as writer:
            receipt = sms.Receipt(message.id, arrived=True)
            assert sms.record_receipts(writer, "aliyun", [receipt], datetime.now(UTC)) == 1

    carrier.meanwhile = report
    assert stage.attempt(message) == MessageOutcome(state="delivered")


def test_the_least_time_between_attempts_keeps_a_carrier_that_settles_at_once_from_being_hurried(
    stage: Stage, carrier: Scripted
) -> None:
    carrier.script = ["lost before"]
    error = stage.attempt(stage.enqueue())
    assert isinstance(error, ApplicationError)
    assert error.next_retry_delay == timedelta(seconds=1)
