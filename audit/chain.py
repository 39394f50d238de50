"""The chain of seals: each covers the one before, so that nothing between two can change alone."""

from hashlib import sha256

START = bytes(32)
"""What the first seal follows."""


def link(before: bytes, leaf: bytes) -> bytes:
    """The chain after one more event.

    Args:
        before: The chain up to it.
        leaf: `audit.tree.leaf_hash` of its canonical record.
    """
    return sha256(b"\x02" + before + leaf).digest()
