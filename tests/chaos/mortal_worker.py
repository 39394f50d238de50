"""A worker that kills itself (SIGKILL) the first time one activity reaches one moment of its transaction.

``python mortal_worker.py <activity> <moment>``, with settings from the environment. Moments are
SQLAlchemy's session events: ``before_commit`` (everything written, nothing committed), ``after_commit``
(committed, Temporal not told yet); for what only reads, ``after_begin`` and ``after_transaction_end``.
"""

import asyncio
import os
import signal
import sys

from sqlalchemy import event
from sqlalchemy.orm import Session
from temporalio import activity

import worker

LAST_WORDS = "killed as planned"


def arm(doomed: str, moment: str) -> None:
    """Die at that moment of that activity, and of no other."""

    def die(session: Session, *_: object) -> None:
        if activity.in_activity() and activity.info().activity_type == doomed:
            if moment == "before_commit":
                session.flush()  # the rows are written when the lights go out
            print(LAST_WORDS, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Session, moment, die)


if __name__ == "__main__":
    arm(*sys.argv[1:])
    asyncio.run(worker.main())
