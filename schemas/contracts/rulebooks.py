"""What crosses Temporal for a comparison of releases: a reference; no content, no person."""

from uuid import UUID

from schemas.contracts.backups import Message


class CompareRules(Message):
    """Carry out one comparison that is noted in the database.

    Attributes:
        operation_id: Its row in the ledger, where the outcome goes.
        comparison_id: What is compared, how far it has come, and what it found.
    """

    operation_id: UUID
    comparison_id: UUID
