"""Events to audit: records made up, and events in a real database."""

import random
from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import Engine

from audit.chain import START
from audit.records import Record
from audit.trail import Sealed, seal
from audit.tree import Frontier
from store import audit
from store.database import writing


def records(count: int) -> Iterator[Record]:
    """Made-up events, the same every time."""
    chance = random.Random(count)
    for id_ in range(1, count + 1):
        yield {
            "id": id_,
            "at": f"2026-11-23T04:05:06.{id_:06}Z",
            "act": chance.choice(("save_step", "submit", "handover")),
            "actor_kind": "person",
            "actor_id": str(UUID(int=chance.getrandbits(128))),
            "case_kind": "backup",
            "case_id": str(UUID(int=chance.getrandbits(128))),
            "workflow_id": f"backup-{id_}",
            "operation_id": str(UUID(int=chance.getrandbits(128))),
            "reason": "按申请人要求重试",
            "facts": {"outcome": {"revision": id_, "state": "draft"}, "request": f"{id_:064x}"},
        }


def trail(count: int) -> list[Sealed]:
    """That many made-up events, sealed."""
    return list(seal(Frontier(), START, records(count)))


def write(engine: Engine, count: int, act: str = "test") -> None:
    """Write events, each in a transaction of its own."""
    for number in range(count):
        with writing(engine) as writer:
            audit.record(writer.connection(), act=act, actor_kind="system", facts={"number": number})
