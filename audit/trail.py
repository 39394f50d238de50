"""Walking the trail again: what was changed, taken away, put in, swapped or cut off, and where.

Each seal covers the one before, so a row is judged by itself and its predecessor: what is wrong with one
does not hide what is wrong with another. The signed tree heads then hold the whole: who rewrites every seal
from one row on still cannot rewrite what was signed and given away.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from audit.chain import START, link
from audit.heads import TreeHead
from audit.records import Record, canonical
from audit.tree import Frontier, leaf_hash
from schemas.texts import Text

Code = Literal[
    "event_changed",
    "event_missing",
    "seal_changed",
    "seal_missing",
    "seal_misplaced",
    "tree_damaged",
    "head_unreadable",
    "head_differs",
    "cut_off",
    "event_unsealed",
    "event_overdue",
    "line_unreadable",
]
SENTENCES: dict[Code, Text] = {
    "event_changed": Text("事件内容与封存时不同", "the event is not what was sealed"),
    "event_missing": Text("封存的事件已不在", "the sealed event is gone"),
    "seal_changed": Text("封存值与前一条接不上", "the seal does not follow from the one before"),
    "seal_missing": Text("此处缺少封存记录", "seals are missing here"),
    "seal_misplaced": Text("序号重复或倒退：多出了记录", "the number is repeated: something was put in"),
    "tree_damaged": Text(
        "存储的树节点与事件不符", "the stored nodes of the tree are not those of the events"
    ),
    "head_unreadable": Text("签名树头不是由所给密钥签署", "a tree head was not signed by these keys"),
    "head_differs": Text(
        "与签名树头不符：此头之前、上一个相符的头之后有改动",
        "not what was signed: something before this head and after the last one that agrees was rewritten",
    ),
    "cut_off": Text(
        "签名树头比记录长：尾部被删", "a signed head covers more than there is: the tail is cut off"
    ),
    "event_unsealed": Text("事件既未封存，也不在待封存之列", "the event is neither sealed nor waits for it"),
    "event_overdue": Text(
        "事件一分钟后仍未封存：请检查 worker 是否运行",
        "the event was not sealed within a minute: check that a worker runs",
    ),
    "line_unreadable": Text("这一行不是导出的记录", "the line is no exported record"),
}


class Fault(NamedTuple):
    """What is wrong, and where.

    Attributes:
        code: What.
        seq: Number of the seal; size of the tree head; or line of the file, from 1.
        event_id: The event, where one is meant.
    """

    code: Code
    seq: int | None = None
    event_id: int | None = None


class Findings(NamedTuple):
    """What came of walking a whole trail.

    Attributes:
        size: Sealed events.
        covered: How many of them the newest tree head covers; of the others nobody else knows yet.
        faults: Everything that is wrong.
    """

    size: int
    covered: int
    faults: list[Fault]


class Sealed(NamedTuple):
    """One row of the trail.

    Attributes:
        seq: Place, from 0.
        leaf: Hash of the event, as sealed.
        chain: Over the chain before and the leaf.
        event_id: Which event.
        record: The event as it is now; None when it is gone.
        nodes: Nodes of the tree that the leaf completes, as stored; None where they are not.
    """

    seq: int
    leaf: bytes
    chain: bytes
    event_id: int
    record: Record | None
    nodes: Sequence[bytes] | None = None


class Walk:
    """Goes along the trail from one row to the next."""

    def __init__(self, heads: Iterable[TreeHead] = (), start: int = 0, chain: bytes = START) -> None:
        """Begin.

        Args:
            heads: Signed tree heads that one trusts.
            start: The first row's place; heads are compared only when that is 0.
            chain: Of the row before.
        """
        self.expected = start
        self._chain: bytes | None = chain
        self._frontier = Frontier()
        self._whole = start == 0
        self._heads = sorted(heads, key=lambda head: head.size, reverse=True) if self._whole else []
        self._promised = self._heads[0].size if self._heads else 0

    def step(self, row: Sealed) -> Iterator[Fault]:
        """Judge one row."""
        if row.seq < self.expected:
            yield Fault("seal_misplaced", row.seq, row.event_id)
            self._whole = False
            return
        if row.seq > self.expected:
            yield Fault("seal_missing", self.expected)
            self._whole, self._chain = False, None
        yield from self._own(row)
        self._chain, self.expected = row.chain, row.seq + 1
        yield from self._heads_here()

    def end(self) -> Iterator[Fault]:
        """Judge what should have come after the last row."""
        if self._promised > self.expected:
            yield Fault("cut_off", self._promised)

    def _own(self, row: Sealed) -> Iterator[Fault]:
        """What is wrong with the row itself: one fault at most, the plainest."""
        completed = self._frontier.add(row.leaf) if self._whole else None
        if self._chain is not None and link(self._chain, row.leaf) != row.chain:
            yield Fault("seal_changed", row.seq, row.event_id)
        elif row.record is None:
            yield Fault("event_missing", row.seq, row.event_id)
        elif not _fits(row):
            yield Fault("event_changed", row.seq, row.event_id)
        elif completed and row.nodes is not None and list(row.nodes) != completed:
            yield Fault("tree_damaged", row.seq, row.event_id)

    def _heads_here(self) -> Iterator[Fault]:
        """Compare the heads of the tree as it is now; of those that differ the first tells enough."""
        while self._heads and self._heads[-1].size <= self.expected:
            head = self._heads.pop()
            agrees = self._whole and head.size == self.expected and head.chain == (self._chain or b"").hex()
            if not (agrees and head.root == self._frontier.root().hex()):
                self._heads.clear()
                yield Fault("head_differs", head.size)


def walk(rows: Iterable[Sealed], heads: Iterable[TreeHead] = ()) -> Iterator[Fault]:
    """Everything that is wrong with a whole trail."""
    walked = Walk(heads)
    for row in rows:
        yield from walked.step(row)
    yield from walked.end()


def seal(frontier: Frontier, chain: bytes, records: Iterable[Record]) -> Iterator[Sealed]:
    """Give records their places, one after the other.

    Args:
        frontier: Of the tree so far; grows.
        chain: Of the last seal.
        records: As they are to follow.
    """
    for record in records:
        leaf, seq = leaf_hash(canonical(record)), frontier.size
        chain = link(chain, leaf)
        yield Sealed(seq, leaf, chain, record["id"], record, frontier.add(leaf))


def _fits(row: Sealed) -> bool:
    if row.record is None or row.record.get("id") != row.event_id:
        return False
    try:
        return leaf_hash(canonical(row.record)) == row.leaf
    except (ValueError, TypeError):
        return False
