"""Every way to tamper with every row of a trail of 10,000 is found, and the row is named.

A walk carries nothing from row to row but the place, the chain and the edge of the tree. Up to the first row
that was tampered with it is the walk of the untouched trail, of which one whole walk shows that it finds
nothing. So the exhaustive tests begin at the row before, with the chain that stands there; whole walks of a
sample show that they say the same.
"""

import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from audit_ground import records, trail

from audit.chain import START, link
from audit.heads import TreeHead
from audit.records import FIELDS, canonical
from audit.trail import Fault, Sealed, Walk, seal, walk
from audit.tree import Frontier, Node, includes, inclusion_path, leaf_hash, span_hash

ROWS = 10_000
TRAIL = trail(ROWS)
HEAD_SIZES = (1, 1_000, 2_500, 7_777, ROWS)
FOREIGN = trail(1)[0].record


def heads_of(rows: Sequence[Sealed]) -> list[TreeHead]:
    frontier, heads = Frontier(), []
    for row in rows:
        frontier.add(row.leaf)
        if frontier.size in HEAD_SIZES:
            root, chain = frontier.root().hex(), row.chain.hex()
            heads.append(
                TreeHead(size=frontier.size, root=root, chain=chain, at="2026-11-23T05:00:00.000000Z")
            )
    return heads


HEADS = heads_of(TRAIL)

Tampering = Callable[[int], list[Sealed]]
"""What stands from a row on, for as long as it differs, and two untouched rows after it."""


def record_of(row: Sealed) -> dict[str, Any]:
    assert row.record is not None
    return dict(row.record)


def found_at(place: int, rows: Sequence[Sealed]) -> list[Fault]:
    """What a walk says that comes to these rows where the row of this place should follow."""
    walked = Walk(start=place, chain=TRAIL[place - 1].chain if place else START)
    return [fault for row in rows for fault in walked.step(row)]


def rest(place: int) -> list[Sealed]:
    return TRAIL[place : place + 2]


def edited(row: Sealed, field: str) -> Sealed:
    """A row whose event says something else in one member."""
    record = record_of(row)
    match record[field]:
        case int(value):
            record[field] = value + 1
        case str(value):
            record[field] = value[:-1] + chr(ord(value[-1]) ^ 1)
        case dict(value):
            record[field] = value | {"outcome": value["outcome"] | {"revision": -1}}
    return row._replace(record=record)


def sealed_anew(row: Sealed) -> Sealed:
    """An edited row whose seal was made to fit the row before."""
    leaf = leaf_hash(canonical(record_of(row)))
    before = TRAIL[row.seq - 1].chain if row.seq else START
    return row._replace(leaf=leaf, chain=link(before, leaf), event_id=record_of(row)["id"], nodes=None)


def inserted(place: int, **changes: Any) -> Sealed:
    """A made-up row that follows the one before as it should."""
    assert FOREIGN is not None
    return sealed_anew(TRAIL[place]._replace(record={**FOREIGN, "id": ROWS + 1, **changes}))


def test_an_untouched_trail_has_no_fault() -> None:
    assert list(walk(TRAIL, HEADS)) == []
    assert [head.size for head in HEADS] == list(HEAD_SIZES)


@pytest.mark.parametrize("field", FIELDS)
def test_an_edit_of_any_member_of_any_event_is_found(field: str) -> None:
    for row in TRAIL:
        assert found_at(row.seq, [edited(row, field)]) == [Fault("event_changed", row.seq, row.event_id)]


def test_a_member_added_or_taken_away_is_found() -> None:
    for row in TRAIL:
        record = record_of(row)
        more = row._replace(record={**record, "more": None})
        less = row._replace(record={name: record[name] for name in FIELDS if name != "reason"})
        for changed in (more, less):
            assert found_at(row.seq, [changed]) == [Fault("event_changed", row.seq, row.event_id)]


def test_an_edit_of_any_seal_is_found() -> None:
    for row in TRAIL:
        other = leaf_hash(b"other")
        for changed in (row._replace(leaf=other), row._replace(chain=other)):
            assert found_at(row.seq, [changed, *rest(row.seq + 1)])[0] == Fault(
                "seal_changed", row.seq, row.event_id
            )
        assert found_at(row.seq, [row._replace(event_id=0)]) == [Fault("event_changed", row.seq, 0)]
        assert found_at(row.seq, [row._replace(seq=row.seq + 7)])[0] == Fault("seal_missing", row.seq)


def test_an_event_whose_leaf_was_changed_with_it_is_found() -> None:
    for row in TRAIL:
        changed = edited(row, "act")
        again = changed._replace(leaf=leaf_hash(canonical(record_of(changed))))
        assert found_at(row.seq, [again]) == [Fault("seal_changed", row.seq, row.event_id)]


def test_an_event_whose_seal_was_made_anew_is_found_at_the_next_row() -> None:
    for row in TRAIL[:-1]:
        following = TRAIL[row.seq + 1]
        assert found_at(row.seq, [sealed_anew(edited(row, "act")), following]) == [
            Fault("seal_changed", following.seq, following.event_id)
        ]


def test_a_deleted_event_is_found_with_its_seal_or_without() -> None:
    for row in TRAIL:
        assert found_at(row.seq, [row._replace(record=None), *rest(row.seq + 1)]) == [
            Fault("event_missing", row.seq, row.event_id)
        ]
    for row in TRAIL[:-1]:
        assert found_at(row.seq, rest(row.seq + 1)) == [Fault("seal_missing", row.seq)]


def test_an_inserted_row_is_found_whatever_number_it_takes() -> None:
    for row in TRAIL:
        more = inserted(row.seq)
        assert Fault("seal_misplaced", row.seq, row.event_id) in found_at(row.seq, [more, *rest(row.seq)])
        assert Fault("seal_misplaced", row.seq, row.event_id) in found_at(row.seq, [row, row])
    for row in TRAIL[:-1]:  # those after it moved up by one
        moved = [each._replace(seq=each.seq + 1) for each in rest(row.seq)]
        assert found_at(row.seq, [inserted(row.seq), *moved])[0] == Fault(
            "seal_changed", row.seq + 1, row.event_id
        )


def test_neighbours_that_were_swapped_are_found() -> None:
    for one, two in pairwise(TRAIL):
        place = one.seq
        assert found_at(place, [two, one]) == [
            Fault("seal_missing", place),
            Fault("seal_misplaced", place, one.event_id),
        ]
        events = [one._replace(record=two.record), two._replace(record=one.record)]
        assert [fault.code for fault in found_at(place, events)] == ["event_changed"] * 2
        seals = [two._replace(seq=one.seq), one._replace(seq=two.seq)]
        assert [fault.code for fault in found_at(place, seals)] == ["seal_changed"] * 2


def test_a_tail_cut_off_anywhere_is_found_by_what_was_signed() -> None:
    walked = Walk(HEADS)
    for row in TRAIL:
        assert list(walked.end()) == [Fault("cut_off", ROWS)], row.seq
        assert list(walked.step(row)) == []
    assert list(walked.end()) == []


def test_whoever_rewrites_all_seals_from_any_row_on_cannot_rewrite_what_was_signed() -> None:
    """A head holds every leaf below it: its root is that of no tree that has another leaf at the place."""
    nodes: dict[Node, bytes] = {}
    for row in TRAIL:
        nodes |= {(level, row.seq >> level): node for level, node in enumerate(row.nodes or ())}
    root = bytes.fromhex(HEADS[-1].root)
    for row in TRAIL:
        path = [span_hash(nodes, span) for span in inclusion_path(row.seq, ROWS)]
        assert includes(root, ROWS, row.seq, row.leaf, path)
        other = leaf_hash(canonical(record_of(edited(row, "act"))))
        assert not includes(root, ROWS, row.seq, other, path)


@pytest.mark.parametrize("place", [0, 1, 998, 999, 1_000, 4_321, 9_998, 9_999])
def test_a_rewriting_is_found_at_the_first_head_over_it(place: int) -> None:
    events = [record_of(row) for row in TRAIL]
    events[place]["act"] = "withdraw"
    rewritten = list(seal(Frontier(), START, events))
    first = next(size for size in HEAD_SIZES if size > place)
    assert list(walk(rewritten, HEADS)) == [Fault("head_differs", first)]
    assert list(walk(rewritten)) == []  # nothing but what was signed tells


def test_what_no_head_covers_yet_can_be_cut_off_unseen() -> None:
    """Said plainly in docs/reference/audit.md: until the next head, the last rows have no witness."""
    assert list(walk(TRAIL[:9_000], HEADS[:-1])) == []


def test_whole_walks_say_the_same_as_those_that_begin_at_the_row_before() -> None:
    chance = random.Random(6)
    kinds: list[Tampering] = [
        lambda place: [edited(TRAIL[place], chance.choice(FIELDS))],
        lambda place: [TRAIL[place]._replace(chain=bytes(32))],
        lambda place: [TRAIL[place]._replace(record=None)],
        lambda place: [],
        lambda place: [TRAIL[place]._replace(record=TRAIL[place + 1].record)],
    ]
    for kind in kinds * 2:
        place = chance.randrange(ROWS - 1)
        instead = kind(place)
        whole = [*TRAIL[:place], *instead, *TRAIL[place + 1 :]]
        faults = [fault for fault in walk(whole, HEADS) if fault.code not in ("head_differs", "cut_off")]
        assert faults == found_at(place, [*instead, *rest(place + 1)])
        assert faults


def test_stored_nodes_that_are_not_those_of_the_events_are_found() -> None:
    for place in (0, 1, 4_095, 9_999):
        row = TRAIL[place]
        nodes = [*(row.nodes or ())[:-1], bytes(32)] if place else [row.leaf, row.leaf]
        whole = [*TRAIL[:place], row._replace(nodes=nodes), *TRAIL[place + 1 :]]
        assert list(walk(whole, HEADS)) == [Fault("tree_damaged", place, row.event_id)]


def test_two_events_never_have_the_same_bytes() -> None:
    assert len({canonical(record) for record in records(ROWS)}) == ROWS
