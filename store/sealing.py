"""Sealing (封存): committed events get their place, their link of the chain and their nodes of the tree.

Apart from the transactions that write events: a chain inside them would let only one commit at a time. One
sealer at a time, whoever has the advisory lock; when it dies, PostgreSQL undoes its batch and frees the lock.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Engine, Row, text
from sqlmodel import Session

from audit.chain import START
from audit.heads import KIND, TreeHead
from audit.records import FIELDS, Record, moment
from audit.trail import Sealed, seal
from audit.tree import Frontier, Node, Span, nodes_of, span_hash
from store.answer_keys import AnswerKeys
from store.copying import cursor
from store.database import Writer, writing

LOCK = 0x61756474
"""Advisory lock of the sealer."""
BATCH = 5_000
"""Events of one transaction."""


class Tip(NamedTuple):
    """Where the trail ends."""

    size: int
    chain: bytes


def seal_waiting(engine: Engine, *, wait: bool = False) -> int:
    """Seal events until none waits; how many.

    Args:
        engine: The database.
        wait: For another sealer to end; otherwise leave it to that one.
    """
    total = 0
    while True:
        with writing(engine) as writer:
            sealed = seal_batch(writer) if _take_turn(writer, wait) else 0
        total += sealed
        if sealed < BATCH:
            return total


def seal_batch(writer: Writer) -> int:
    """Seal the events that have waited longest; how many. The advisory lock must be held."""
    connection = writer.connection()
    waiting = [record(row) for row in connection.execute(_WAITING, {"limit": BATCH})]
    if not waiting:
        return 0
    end = tip(writer)
    found = nodes(writer, nodes_of((0, end.size)))
    frontier = Frontier(end.size, [found[node] for node in nodes_of((0, end.size))])
    with cursor(writer) as sender, sender.copy(_SEALS) as copy:
        for row in seal(frontier, end.chain, waiting):
            copy.write_row((row.seq, row.event_id, row.chain, row.nodes))
    connection.execute(_DONE, {"ids": [each["id"] for each in waiting]})
    return len(waiting)


def sign_head(engine: Engine, keys: AnswerKeys) -> int:
    """Seal what waits and sign the head over it, unless there is one; its size, 0 for an empty trail.

    Args:
        engine: The database.
        keys: The first signs.
    """
    seal_waiting(engine, wait=True)
    with writing(engine) as writer:
        end = tip(writer)
        if not end.size or writer.connection().execute(_HEAD_OF, {"size": end.size}).first():
            return end.size
        now = datetime.now(UTC)
        root = hashes(writer, [(0, end.size)])[0]
        head = TreeHead(size=end.size, root=root.hex(), chain=end.chain.hex(), at=moment(now))
        signed = keys.sign(head.payload(), KIND)
        row = {"size": end.size, "root": root, "signed": signed, "signed_at": now}
        writer.connection().execute(_SIGN, row)
        return end.size


def tip(session: Session) -> Tip:
    """Where the trail ends now."""
    row = session.connection().execute(_TIP).first()
    return Tip(row.seq + 1, row.chain) if row else Tip(0, START)


def hashes(session: Session, spans: Sequence[Span]) -> list[bytes]:
    """Roots of the subtrees over spans (see `audit.tree`)."""
    found = nodes(session, [node for span in spans for node in nodes_of(span)])
    return [span_hash(found, span) for span in spans]


def nodes(session: Session, wanted: Iterable[Node]) -> dict[Node, bytes]:
    """Stored nodes: each stands with the last leaf that it covers."""
    rows = {node: ((node[1] + 1) << node[0]) - 1 for node in wanted}
    if not rows:
        return {}
    stored = session.connection().execute(_NODES, {"seqs": sorted(set(rows.values()))})
    by_seq = {row.seq: row.nodes for row in stored}
    return {node: by_seq[seq][node[0]] for node, seq in rows.items()}


def record(row: Row[Any]) -> Record:
    """An event as it is hashed."""
    told = row._mapping
    return {
        name: moment(told[name])
        if name == "at"
        else str(told[name])
        if name.endswith("_id") and told[name] is not None
        else told[name]
        for name in FIELDS
    }


def sealed_rows(session: Session) -> Iterator[Sealed]:
    """The whole trail, as it stands in the database, seal by seal."""
    streamed = {"stream_results": True, "max_row_buffer": 1_000}
    for row in session.connection().execute(_ALL, execution_options=streamed):
        stored = [bytes(node) for node in row.nodes]
        yield Sealed(
            seq=row.seq,
            leaf=stored[0] if stored else b"",
            chain=row.chain,
            event_id=row.event_id,
            record=record(row) if row.id is not None else None,
            nodes=stored,
        )


def _take_turn(writer: Writer, wait: bool) -> bool:
    if wait:
        writer.connection().execute(_WAIT, {"lock": LOCK})
        return True
    return bool(writer.connection().execute(_TRY, {"lock": LOCK}).scalar_one())


_WAIT = text("SELECT pg_advisory_xact_lock(:lock)")
_TRY = text("SELECT pg_try_advisory_xact_lock(:lock)")
COLUMNS = ", ".join(f"event.{name}" for name in FIELDS)
_WAITING = text(f"""
    SELECT {COLUMNS} FROM audit_unsealed JOIN audit_event AS event ON event.id = audit_unsealed.event_id
    ORDER BY audit_unsealed.event_id LIMIT :limit
""")  # noqa: S608 - names of our own
_TIP = text("SELECT seq, chain FROM audit_seal ORDER BY seq DESC LIMIT 1")
_NODES = text("SELECT seq, nodes FROM audit_seal WHERE seq = ANY(:seqs)")
_SEALS = "COPY audit_seal (seq, event_id, chain, nodes) FROM STDIN"
_DONE = text("DELETE FROM audit_unsealed WHERE event_id = ANY(:ids)")
_HEAD_OF = text("SELECT 1 FROM audit_tree_head WHERE size = :size")
_SIGN = text("""
    INSERT INTO audit_tree_head (size, root, signed, signed_at) VALUES (:size, :root, :signed, :signed_at)
    ON CONFLICT DO NOTHING
""")
_ALL = text(f"""
    SELECT seal.seq, seal.event_id, seal.chain, seal.nodes, {COLUMNS}
    FROM audit_seal AS seal LEFT JOIN audit_event AS event ON event.id = seal.event_id
    ORDER BY seal.seq
""")  # noqa: S608 - names of our own
