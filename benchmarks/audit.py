"""The audit trail: sealing beside an INSERT of as many seals, proofs, and a walk over everything."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from statistics import median

from sqlalchemy import TextClause, text

from audit.heads import key_set
from benchmarks.ground import Ground
from benchmarks.rows import Row, interval
from store.answer_keys import AnswerKeys
from store.database import Reader, reading, writing
from store.sealing import seal_waiting, sign_head
from store.trail import prove, verified

EVENTS = 20_000
ROUNDS = 5
PROOFS = 200
GOAL = 2_000
"""Events sealed per second."""


async def measure(ground: Ground) -> list[Row]:
    """Seal events and insert as many seals, in turn; then sign a head, prove under it, walk the trail."""
    return await asyncio.to_thread(_measured, ground)


def _measured(ground: Ground) -> list[Row]:
    seal_waiting(ground.engine, wait=True)
    _execute(ground, _BARE)
    sealings, inserts = [], []
    for _ in range(1 + ROUNDS):  # the first warms up
        _execute(ground, _WRITE, count=EVENTS)
        _execute(ground, _EMPTY)
        sealings.append(_seconds(lambda: seal_waiting(ground.engine, wait=True)))
        inserts.append(_seconds(lambda: _execute(ground, _INSERT, count=EVENTS)))
    rates = [EVENTS / seconds for seconds in sealings[1:]]
    ratios = [above / below for above, below in zip(sealings[1:], inserts[1:], strict=True)]
    return [
        Row("audit_seal_rate", f"of {EVENTS:,} events that wait, sealed per second", median(rates), "1/s",
            goal=GOAL, better="higher", n=ROUNDS, spread=interval(rates)),
        Row("audit_seal_vs_insert", f"sealing {EVENTS:,} events beside INSERT … SELECT of their seals",
            median(ratios), "ratio", 1, n=ROUNDS, spread=interval(ratios)),
        *_read(ground),
    ]  # fmt: skip


def _read(ground: Ground) -> list[Row]:
    keys = AnswerKeys.load(ground.platform.settings.answer_keys)
    signing = _seconds(lambda: sign_head(ground.engine, keys))
    with reading(ground.engine) as reader:
        size = reader.connection().execute(text("SELECT count(*) FROM audit_seal")).scalar_one()
        ids = reader.connection().execute(_SOME, {"count": PROOFS}).scalars().all()
        proving = [_seconds(partial(prove, reader, id_)) for id_ in ids]
        walking = _seconds(lambda: _walk(reader, keys))
    trail = f"of a trail of {size:,} events"
    return [
        Row("audit_head_ms", f"signing the head {trail}", 1000 * signing, "ms"),
        Row("audit_proof_ms", f"an inclusion proof {trail}, p50", 1000 * median(proving), "ms", n=PROOFS),
        Row("audit_verify_rate", f"rows per second of hgrip audit verify, {trail}", size / walking, "1/s",
            better="higher"),
    ]  # fmt: skip


def _walk(reader: Reader, keys: AnswerKeys) -> None:
    findings = verified(reader, key_set({"keys": keys.published()}))
    if findings.faults:
        raise AssertionError(f"the trail has faults: {findings.faults[:3]}")


def _execute(ground: Ground, statement: TextClause, **parameters: int) -> None:
    with writing(ground.engine) as writer:
        writer.connection().execute(statement, parameters)


def _seconds(done: Callable[[], object]) -> float:
    started = time.perf_counter()
    done()
    return time.perf_counter() - started


_WRITE = text("""
    INSERT INTO audit_event (act, actor_kind, actor_id, case_kind, case_id, operation_id, facts)
    SELECT 'save_step', 'person', gen_random_uuid(), 'backup', gen_random_uuid(), gen_random_uuid(),
           jsonb_build_object('request', repeat('a', 64), 'outcome', jsonb_build_object(
               'remind_at', now(), 'recheck_every', 'P1D', 'saved', jsonb_build_object(
                   'step', 'project', 'revision', number, 'saved_at', now(), 'awaiting', '[]'::jsonb)))
    FROM generate_series(1, :count) AS number
""")
_BARE = text("CREATE TABLE bare_seal (LIKE audit_seal INCLUDING INDEXES)")
_EMPTY = text("TRUNCATE bare_seal")
_INSERT = text("""
    INSERT INTO bare_seal SELECT seq, event_id, chain, nodes FROM audit_seal ORDER BY seq DESC LIMIT :count
""")
_SOME = text("SELECT id FROM audit_event ORDER BY random() LIMIT :count")
