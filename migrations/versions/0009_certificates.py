"""Certificates that were issued, and how often the public asks"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "issued_certificate",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("backup_id", sa.Uuid(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["backup_id"], ["backup.id"]),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.create_index("issued_certificate_by_backup", "issued_certificate", ["backup_id"])
    op.create_table(
        "public_visit",
        sa.Column("address_index", sa.LargeBinary(), nullable=False),
        sa.Column("window_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("visits", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("address_index"),
    )
    op.create_index("public_visit_by_window", "public_visit", ["window_from"])


def downgrade() -> None:
    op.drop_table("public_visit")
    op.drop_table("issued_certificate")
