"""What is done to a backup once it has its number: it is withdrawn, or corrected."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import DateTime, Index, String, text
from sqlmodel import Field, SQLModel

AmendmentKind = Literal["withdrawal", "correction"]


class Amendment(SQLModel, table=True):
    """A numbered backup is withdrawn (撤回) or corrected (更正). Only asked for, while `done_at` is None.

    A withdrawn backup keeps its number, its contents and its delegate: it stays visible, and is used no more.
    A correction is a draft, whose sealing makes the next version of the backup; from then on the row of the
    draft holds the version before.
    """

    __tablename__ = "amendment"
    __table_args__ = (
        Index("amendment_by_backup", "backup_id", "done_at"),
        Index(
            "amendment_withdrawn_once",
            "backup_id",
            unique=True,
            postgresql_where=text("kind = 'withdrawal' AND done_at IS NOT NULL"),
        ),
    )

    id: UUID = Field(primary_key=True, description="That of the operation which asked for it")
    kind: AmendmentKind = Field(sa_type=String)
    backup_id: UUID = Field(foreign_key="backup.id")
    draft_id: UUID | None = Field(
        default=None, unique=True, description="Of a correction: its draft, which may not exist yet"
    )
    account_id: UUID = Field(foreign_key="account.id", description="Who asked for it")
    reason: bytes = Field(description="Encrypted: people write names into it")
    stored_at: datetime = Field(sa_type=DateTime(timezone=True))
    done_at: datetime | None = Field(
        default=None, sa_type=DateTime(timezone=True), description="When it was withdrawn, or sealed anew"
    )
