"""Proofs that an event is in the trail, checked with nothing but the public keys."""

from joserfc.jwk import KeySet

from audit.heads import TreeHead, read_head
from audit.records import canonical
from audit.tree import includes, leaf_hash
from schemas.http.audit import InclusionProof


class ProofError(Exception):
    """The event is not what the signed tree head covers at that place."""


def check(proof: InclusionProof, keys: KeySet) -> TreeHead:
    """Check a proof.

    Args:
        proof: As a certificate carries it.
        keys: The platform's public keys, from where one trusts them.

    Returns:
        The tree head, signed by one of the keys, whose tree has the event.

    Raises:
        HeadError: None of the keys has signed its head.
        ProofError: See there.
    """
    head = read_head(proof.head, keys)
    try:
        path = [bytes.fromhex(each) for each in proof.path]
        leaf = leaf_hash(canonical(proof.event.model_dump(mode="json")))
    except ValueError:
        raise ProofError from None
    promised = (proof.size, proof.root) == (head.size, head.root)
    if not promised or not includes(bytes.fromhex(head.root), head.size, proof.seq, leaf, path):
        raise ProofError
    return head
