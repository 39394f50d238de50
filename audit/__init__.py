"""The audit trail: canonical records, their chain, the tree over them, and proofs."""
