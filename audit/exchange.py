"""The trail as a file (导出): one JSON object per line, signed heads first, so that a cut tail shows."""

import json
from collections.abc import Iterable, Iterator
from itertools import chain

from joserfc.jwk import KeySet

from audit.heads import HeadError, TreeHead, read_head
from audit.records import canonical
from audit.trail import Fault, Findings, Sealed, Walk


class LineError(Exception):
    """It is no line of an exported trail."""


def exported(heads: Iterable[str], rows: Iterable[Sealed]) -> Iterator[bytes]:
    """The lines of a file.

    Args:
        heads: Signed tree heads.
        rows: The trail; a row whose event is gone has null in its place.
    """
    for signed in heads:
        yield canonical({"head": signed}) + b"\n"
    for row in rows:
        seal = {"seq": row.seq, "leaf": row.leaf.hex(), "chain": row.chain.hex(), "event": row.record}
        yield canonical(seal) + b"\n"


def verified(lines: Iterable[bytes], keys: KeySet, known: Iterable[TreeHead] = ()) -> Findings:
    """Walk the trail of a file again.

    Args:
        lines: Of the file.
        keys: The platform's public keys, from where one trusts them.
        known: Tree heads that were kept elsewhere.
    """
    faults, trusted = [], list(known)
    numbered = enumerate(lines, 1)
    first: list[tuple[int, bytes]] = []
    for number, line in numbered:
        if not line.startswith(b'{"head":'):
            first = [(number, line)]
            break
        try:
            trusted.append(read_head(_head(line), keys))
        except (HeadError, LineError):
            faults.append(Fault("head_unreadable", number))
    walked = Walk(trusted)
    for number, line in chain(first, numbered):
        try:
            faults += walked.step(_row(line))
        except LineError:
            faults.append(Fault("line_unreadable", number))
    faults += walked.end()
    return Findings(walked.expected, max((head.size for head in trusted), default=0), faults)


def _head(line: bytes) -> str:
    match _json(line):
        case {"head": str(signed)}:
            return signed
    raise LineError


def _row(line: bytes) -> Sealed:
    match _json(line):
        case {"seq": int(seq), "leaf": str(leaf), "chain": str(chained), "event": dict() | None as event}:
            event_id = event.get("id") if event else 0
            if isinstance(event_id, int):
                return Sealed(seq, _hash(leaf), _hash(chained), event_id, event)
    raise LineError


def _json(line: bytes) -> object:
    """What a line says; only lines as `exported` writes them say anything: nothing hides in others."""
    try:
        said = json.loads(line)
        if canonical(said) + b"\n" == line:
            return said
    except (ValueError, RecursionError):
        pass
    raise LineError


def _hash(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        raise LineError from None
    if len(found) != 32:  # SHA-256
        raise LineError
    return found
