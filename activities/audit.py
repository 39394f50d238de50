"""The audit trail's own work: sealing all the time, signing tree heads when asked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import Engine
from temporalio import activity

from schemas.contracts.audit import SignTreeHead, TreeHeadSigned
from schemas.errors import Refusal
from store.answer_keys import AnswerKeys
from store.sealing import seal_waiting, sign_head
from wire.refusals import failure

log = structlog.get_logger()

PAUSE = 0.25
"""Seconds between two looks at the queue: an event is sealed within a second."""
PAUSE_AFTER_FAILURE = 2.0


class AuditActivities:
    """Signs tree heads."""

    def __init__(self, engine: Engine, keys: AnswerKeys) -> None:
        self._engine = engine
        self._keys = keys

    @activity.defn
    def sign_tree_head(self, order: SignTreeHead) -> TreeHeadSigned:
        """Seal what waits and sign the head over it. Refuses ``no_answer_key``."""
        if not self._keys:
            raise failure(Refusal("no_answer_key"))
        return TreeHeadSigned(size=sign_head(self._engine, self._keys))


@contextmanager
def sealing(engine: Engine) -> Iterator[None]:
    """Seal events in a thread of its own for as long as the block runs; of several processes one does."""
    stop = threading.Event()
    thread = threading.Thread(target=_seal, args=(engine, stop), name="sealer", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(PAUSE_AFTER_FAILURE)


def _seal(engine: Engine, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            seal_waiting(engine)
            stop.wait(PAUSE)
        except Exception as error:  # whatever it is: the next attempt may fare better, and somebody reads
            log.error("events are not sealed", error=type(error).__name__)  # noqa: TRY400 - no text
            stop.wait(PAUSE_AFTER_FAILURE)
