"""What was known of accounts when, prior reports that used a backup, and what services have asked"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account_standing",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("unit_code", sa.String(), nullable=True),
        sa.Column("real_name_verified", sa.Boolean(), nullable=False),
        sa.Column("unit_authorised", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
        sa.PrimaryKeyConstraint("account_id", "valid_from", "recorded_at"),
    )
    op.execute(
        "INSERT INTO account_standing"
        " SELECT id, signed_in_at, signed_in_at, unit_code, real_name_verified, unit_authorised FROM account"
    )
    op.create_table(
        "prior_report",
        sa.Column("report_id", sa.String(length=64), nullable=False),
        sa.Column("backup_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reported_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
        sa.ForeignKeyConstraint(["backup_id"], ["backup.id"]),
        sa.PrimaryKeyConstraint("backup_id", "report_id"),
    )
    op.create_table(
        "service_quota",
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("window_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("spent", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("client_id"),
    )


def downgrade() -> None:
    op.drop_table("service_quota")
    op.drop_table("prior_report")
    op.drop_table("account_standing")
