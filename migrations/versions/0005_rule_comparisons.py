"""Comparisons of releases: how far they have come, and what they found"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rule_comparison",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("old", sa.String(), nullable=True),
        sa.Column("new", sa.String(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("resume", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("result", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(["old"], ["rulebook_release.digest"]),
        sa.ForeignKeyConstraint(["new"], ["rulebook_release.digest"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "rule_impact_change",
        sa.Column("comparison_id", sa.Uuid(), nullable=False),
        sa.Column("backup_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("before", sa.String(), nullable=False),
        sa.Column("after", sa.String(), nullable=False),
        sa.Column("rules", postgresql.ARRAY(sa.String()), nullable=False),
        sa.ForeignKeyConstraint(["comparison_id"], ["rule_comparison.id"]),
        sa.PrimaryKeyConstraint("comparison_id", "backup_id"),
    )


def downgrade() -> None:
    op.drop_table("rule_impact_change")
    op.drop_table("rule_comparison")
