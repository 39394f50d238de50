"""The Merkle tree of RFC 6962, section 2.1 (RFC 9162, section 2.1): SHA-256, leaves in the order of seals.

A *node* is the root of a complete subtree: ``(level, index)`` covers the leaves from ``index << level`` up to
``(index + 1) << level``. Every root and every proof is made of nodes, so that whoever keeps the nodes makes
any of them from a number of hashes that grows with the logarithm of the tree.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256

Node = tuple[int, int]
Span = tuple[int, int]
"""Leaves from the first number up to, and without, the second."""
EMPTY = sha256().digest()
"""Root of the tree without leaves."""


def leaf_hash(content: bytes) -> bytes:
    """Hash of a leaf."""
    return sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash over two subtrees."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a tree: as much of it as is needed to add leaves."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """Go on from a tree.

        Args:
            size: Leaves it has.
            peaks: Hashes of ``nodes_of((0, size))``.
        """
        self.size = size
        self._peaks = list(peaks)

    def add(self, leaf: bytes) -> list[bytes]:
        """Add a leaf's hash; it and the nodes that it completes, smaller ones first."""
        completed, size = [leaf], self.size
        while size & 1:
            completed.append(node_hash(self._peaks.pop(), completed[-1]))
            size >>= 1
        self._peaks.append(completed[-1])
        self.size += 1
        return completed

    def root(self) -> bytes:
        """Root of the tree."""
        return _joined(self._peaks) if self._peaks else EMPTY


def nodes_of(span: Span) -> list[Node]:
    """The nodes that make up a span of a tree, larger ones first.

    Args:
        span: One that RFC 6962 splits trees into: it begins at a multiple of a power of two not less than
            its length.
    """
    start, end = span
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append((level, start >> level))
        start += 1 << level
    return nodes


def span_hash(nodes: Mapping[Node, bytes], span: Span) -> bytes:
    """Root of the subtree over a span.

    Args:
        nodes: At least ``nodes_of(span)``.
        span: Not empty.
    """
    return _joined([nodes[node] for node in nodes_of(span)])


def inclusion_path(index: int, size: int) -> list[Span]:
    """The spans whose roots prove that a leaf is in a tree (RFC 6962, section 2.1.1).

    Raises:
        ValueError: The tree has no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError("no such leaf")
    path, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    return path[::-1]


def consistency_path(old: int, new: int) -> list[Span]:
    """The spans whose roots prove that one tree begins with another (RFC 6962, section 2.1.2).

    Raises:
        ValueError: The old tree is empty or larger than the new one.
    """
    if not 0 < old <= new:
        raise ValueError("no such trees")
    path, start, end = [], 0, new
    while old < end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    if start:
        path.append((start, end))
    return path[::-1]


def includes(root: bytes, size: int, index: int, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """Whether a proof shows that a leaf is in a tree (RFC 9162, section 2.1.3.2).

    Args:
        root: Of the tree.
        size: Leaves of the tree.
        index: Place of the leaf.
        leaf: Its hash.
        proof: Hashes of the spans of its path.
    """
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for sibling in proof:
        if not last:
            return False
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    return not last and found == root


def continues(old_root: bytes, old: int, new_root: bytes, new: int, proof: Sequence[bytes]) -> bool:
    """Whether a proof shows that one tree begins with another (RFC 9162, section 2.1.4.2).

    Args:
        old_root: Of the smaller tree.
        old: Leaves of the smaller tree, at least one.
        new_root: Of the larger tree.
        new: Leaves of the larger tree.
        proof: Hashes of the spans of the path between them.
    """
    if not 0 < old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    hashes = [old_root, *proof] if not old & (old - 1) else list(proof)
    if not hashes:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    found_old = found_new = hashes[0]
    for sibling in hashes[1:]:
        if not last:
            return False
        if place & 1 or place == last:
            found_old, found_new = node_hash(sibling, found_old), node_hash(sibling, found_new)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            found_new = node_hash(found_new, sibling)
        place, last = place >> 1, last >> 1
    return not last and found_old == old_root and found_new == new_root


def _split(length: int) -> int:
    """The largest power of two less than a length of at least two."""
    return 1 << (length - 1).bit_length() - 1


def _joined(peaks: Sequence[bytes]) -> bytes:
    found = peaks[-1]
    for peak in peaks[-2::-1]:
        found = node_hash(peak, found)
    return found
