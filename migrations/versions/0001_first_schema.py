"""First schema"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "form_content",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("personal", sa.LargeBinary(), nullable=True),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "manifest",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("form", sa.String(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("listing", sa.String(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("unreadable_rows", sa.Integer(), nullable=False),
        sa.Column("categories", postgresql.ARRAY(sa.String()), nullable=False),
        sa.Column("repositories", postgresql.ARRAY(sa.String()), nullable=False),
        sa.Column("in_transit", postgresql.ARRAY(sa.String()), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "manifest_fault",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("manifest_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("column", sa.String(), nullable=True),
        sa.Column("facts", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("manifest_fault_by_manifest", "manifest_fault", ["manifest_id", "id"], unique=False)
    op.create_table(
        "manifest_finding",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("manifest_id", sa.Uuid(), nullable=False),
        sa.Column("release_digest", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("pointer", sa.String(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("column", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "manifest_finding_by_judgement",
        "manifest_finding",
        ["manifest_id", "release_digest", "id"],
        unique=False,
    )
    op.create_table(
        "manifest_row",
        sa.Column("manifest_id", sa.Uuid(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("record", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("manifest_id", "line"),
    )
    op.create_table(
        "number_serial",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day"),
    )
    op.create_table(
        "operation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("backup_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("request_digest", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("operation_by_backup", "operation", ["backup_id"], unique=False)
    op.create_table(
        "rulebook_release",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("canonical", sa.LargeBinary(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        sa.UniqueConstraint("version"),
    )
    op.create_index(
        op.f("ix_rulebook_release_effective_from"), "rulebook_release", ["effective_from"], unique=False
    )
    op.create_table(
        "unit",
        sa.Column("code", sa.String(length=18), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_table(
        "account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("unit_code", sa.String(), nullable=True),
        sa.Column("name", sa.LargeBinary(), nullable=True),
        sa.Column("name_index", sa.LargeBinary(), nullable=True),
        sa.Column("phone", sa.LargeBinary(), nullable=True),
        sa.Column("phone_index", sa.LargeBinary(), nullable=True),
        sa.Column("real_name_verified", sa.Boolean(), nullable=False),
        sa.Column("unit_authorised", sa.Boolean(), nullable=False),
        sa.Column("unit_administrator", sa.Boolean(), nullable=False),
        sa.Column("signed_in_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_code"],
            ["unit.code"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_account_name_index"), "account", ["name_index"], unique=False)
    op.create_index(op.f("ix_account_phone_index"), "account", ["phone_index"], unique=False)
    op.create_index(op.f("ix_account_unit_code"), "account", ["unit_code"], unique=False)
    op.create_table(
        "manifest_judgement",
        sa.Column("manifest_id", sa.Uuid(), nullable=False),
        sa.Column("release_digest", sa.String(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("warnings", sa.Integer(), nullable=False),
        sa.Column("advice", sa.Integer(), nullable=False),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["release_digest"],
            ["rulebook_release.digest"],
        ),
        sa.PrimaryKeyConstraint("manifest_id", "release_digest"),
    )
    op.create_table(
        "backup",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=True),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("creator_id", sa.Uuid(), nullable=False),
        sa.Column("delegate_id", sa.Uuid(), nullable=False),
        sa.Column("unit_code", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("release_digest", sa.String(), nullable=True),
        sa.CheckConstraint("(state = 'numbered') = (number IS NOT NULL)", name="number_iff_numbered"),
        sa.ForeignKeyConstraint(
            ["creator_id"],
            ["account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["delegate_id"],
            ["account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["release_digest"],
            ["rulebook_release.digest"],
        ),
        sa.ForeignKeyConstraint(
            ["unit_code"],
            ["unit.code"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("number"),
    )
    op.create_index("backup_by_delegate", "backup", ["delegate_id", "created_at", "id"], unique=False)
    op.create_index("backup_by_unit", "backup", ["unit_code", "created_at", "id"], unique=False)
    op.create_table(
        "backup_step",
        sa.Column("backup_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("content_id", sa.Uuid(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("saved_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["backup_id"],
            ["backup.id"],
        ),
        sa.PrimaryKeyConstraint("backup_id", "step"),
    )
    op.create_table(
        "deposit_check",
        sa.Column("backup_id", sa.Uuid(), nullable=False),
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["backup_id"],
            ["backup.id"],
        ),
        sa.PrimaryKeyConstraint("backup_id", "repository"),
    )
    op.create_table(
        "notice",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("backup_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["backup_id"],
            ["backup.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("notice_by_account", "notice", ["account_id", "created_at", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("notice_by_account", table_name="notice")
    op.drop_table("notice")
    op.drop_table("deposit_check")
    op.drop_table("backup_step")
    op.drop_index("backup_by_unit", table_name="backup")
    op.drop_index("backup_by_delegate", table_name="backup")
    op.drop_table("backup")
    op.drop_table("manifest_judgement")
    op.drop_index(op.f("ix_account_unit_code"), table_name="account")
    op.drop_index(op.f("ix_account_phone_index"), table_name="account")
    op.drop_index(op.f("ix_account_name_index"), table_name="account")
    op.drop_table("account")
    op.drop_table("unit")
    op.drop_index(op.f("ix_rulebook_release_effective_from"), table_name="rulebook_release")
    op.drop_table("rulebook_release")
    op.drop_index("operation_by_backup", table_name="operation")
    op.drop_table("operation")
    op.drop_table("number_serial")
    op.drop_table("manifest_row")
    op.drop_index("manifest_finding_by_judgement", table_name="manifest_finding")
    op.drop_table("manifest_finding")
    op.drop_index("manifest_fault_by_manifest", table_name="manifest_fault")
    op.drop_table("manifest_fault")
    op.drop_table("manifest")
    op.drop_table("form_content")
