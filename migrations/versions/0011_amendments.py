"""Withdrawals and corrections of numbered backups, which keep their numbers; handovers know what was shown"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

CHECKS = {
    "numbered_with_number": "state <> 'numbered' OR number IS NOT NULL",
    "number_of_numbered": "number IS NULL OR state IN ('numbered', 'withdrawn')",
    "legacy_has_number": "registrant_id IS NULL OR number IS NOT NULL",
}
BEFORE = {
    "number_iff_numbered": "(state = 'numbered') = (number IS NOT NULL)",
    "legacy_numbered": "registrant_id IS NULL OR state = 'numbered'",
}


def upgrade() -> None:
    op.create_table(
        "amendment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("backup_id", sa.Uuid(), nullable=False),
        sa.Column("draft_id", sa.Uuid(), nullable=True),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
        sa.ForeignKeyConstraint(["backup_id"], ["backup.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("draft_id"),
    )
    op.create_index("amendment_by_backup", "amendment", ["backup_id", "done_at"])
    op.create_index(
        "amendment_withdrawn_once",
        "amendment",
        ["backup_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'withdrawal' AND done_at IS NOT NULL"),
    )
    op.add_column("backup", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("backup", sa.Column("corrects_id", sa.Uuid(), nullable=True))
    op.create_foreign_key("backup_corrects_id_fkey", "backup", "backup", ["corrects_id"], ["id"])
    op.create_index(
        "backup_open_correction",
        "backup",
        ["corrects_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('draft', 'waiting_for_deposit')"),
    )
    _replace(BEFORE, CHECKS)
    op.add_column(
        "issued_certificate", sa.Column("version", sa.Integer(), nullable=False, server_default="1")
    )
    op.create_table(
        "handover_preview",
        sa.Column("unit_code", sa.String(), nullable=False),
        sa.Column("delegate_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("backups", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("shown_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("unit_code", "delegate_id", "digest"),
    )
    op.create_index("handover_preview_by_time", "handover_preview", ["shown_at"])


def downgrade() -> None:
    op.drop_table("handover_preview")
    op.drop_column("issued_certificate", "version")
    _replace(CHECKS, BEFORE)
    op.drop_index("backup_open_correction", table_name="backup")
    op.drop_constraint("backup_corrects_id_fkey", "backup", type_="foreignkey")
    op.drop_column("backup", "corrects_id")
    op.drop_column("backup", "version")
    op.drop_table("amendment")


def _replace(old: dict[str, str], new: dict[str, str]) -> None:
    for name in old:
        op.drop_constraint(name, "backup", type_="check")
    for name, condition in new.items():
        op.create_check_constraint(name, "backup", condition)
