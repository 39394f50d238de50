"""Legacy backups: numbered backups that nobody holds yet, and who held which backup when"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

CHECKS = {
    "registrant_or_creator": "(registrant_id IS NULL) = (creator_id IS NOT NULL)",
    "held_with_unit": "(delegate_id IS NULL) = (unit_code IS NULL)",
    "only_legacy_unheld": "registrant_id IS NOT NULL OR delegate_id IS NOT NULL AND expires_at IS NOT NULL",
    "legacy_numbered": "registrant_id IS NULL OR state = 'numbered'",
}
NULLABLE = ("creator_id", "delegate_id", "unit_code", "expires_at")


def upgrade() -> None:
    op.create_table(
        "legacy_registrant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("phone", sa.LargeBinary(), nullable=False),
        sa.Column("person_index", sa.LargeBinary(), nullable=False),
        sa.Column("unit_code", sa.String(length=18), nullable=True),
        sa.Column("unit_name", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_legacy_registrant_person_index"), "legacy_registrant", ["person_index"])
    op.create_table(
        "legacy_draft",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("registrant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["registrant_id"], ["legacy_registrant.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_legacy_draft_registrant_id"), "legacy_draft", ["registrant_id"])
    op.create_table(
        "legacy_import",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column(
            "counts", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "legacy_import_fault",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("column", sa.String(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("facts", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["legacy_import.digest"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("legacy_import_fault_by_import", "legacy_import_fault", ["digest", "line"])
    op.create_table(
        "delegation",
        sa.Column("backup_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delegate_id", sa.Uuid(), nullable=False),
        sa.Column("unit_code", sa.String(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("until >= since", name="ends_after_it_begins"),
        sa.ForeignKeyConstraint(["backup_id"], ["backup.id"]),
        sa.ForeignKeyConstraint(["delegate_id"], ["account.id"]),
        sa.PrimaryKeyConstraint("backup_id", "since"),
    )
    op.create_index(
        "delegation_now", "delegation", ["backup_id"], unique=True, postgresql_where=sa.text("until IS NULL")
    )
    op.create_index("delegation_by_operation", "delegation", ["operation_id"])
    op.execute(
        # The drafts there are were opened by their delegates: that was the first thing asked of each.
        """
        INSERT INTO delegation (backup_id, since, delegate_id, unit_code, operation_id)
        SELECT id, created_at, delegate_id, unit_code, id FROM backup
        """
    )
    op.add_column("backup", sa.Column("registrant_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        "backup_registrant_id_fkey", "backup", "legacy_registrant", ["registrant_id"], ["id"]
    )
    op.create_index(op.f("ix_backup_registrant_id"), "backup", ["registrant_id"])
    for column in NULLABLE:
        op.alter_column("backup", column, nullable=True)
    for name, condition in CHECKS.items():
        op.create_check_constraint(name, "backup", condition)
    op.add_column("account", sa.Column("person_index", sa.LargeBinary(), nullable=True))
    op.alter_column("operation", "backup_id", new_column_name="case_id")
    op.execute("ALTER INDEX operation_by_backup RENAME TO operation_by_case")
    op.alter_column("notice", "backup_id", nullable=True)
    op.alter_column("notice", "due_at", nullable=True)
    op.add_column(
        "notice",
        sa.Column(
            "facts", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
    )


def downgrade() -> None:
    op.drop_column("notice", "facts")
    op.execute("DELETE FROM notice WHERE backup_id IS NULL OR due_at IS NULL")
    op.alter_column("notice", "due_at", nullable=False)
    op.alter_column("notice", "backup_id", nullable=False)
    op.execute("ALTER INDEX operation_by_case RENAME TO operation_by_backup")
    op.alter_column("operation", "case_id", new_column_name="backup_id")
    op.drop_column("account", "person_index")
    op.drop_table("delegation")
    op.execute("DELETE FROM backup WHERE registrant_id IS NOT NULL")
    for name in CHECKS:
        op.drop_constraint(name, "backup")
    for column in NULLABLE:
        op.alter_column("backup", column, nullable=False)
    op.drop_column("backup", "registrant_id")
    op.drop_table("legacy_import_fault")
    op.drop_table("legacy_import")
    op.drop_table("legacy_draft")
    op.drop_table("legacy_registrant")
