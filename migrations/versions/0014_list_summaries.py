"""What the lists of a backup hold, beside its title: a page of backups need not look into their lists"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

FILL = """
UPDATE backup SET
    data_files = (SELECT COALESCE(sum(manifest.rows), 0) FROM {lists}),
    categories = ARRAY(
        SELECT DISTINCT category FROM {lists}, unnest(manifest.categories) AS category ORDER BY 1
    )
WHERE EXISTS (SELECT FROM {lists})
"""
LISTS = """
    backup_step AS step JOIN manifest ON step.backup_id = backup.id AND manifest.id = step.content_id
"""


def upgrade() -> None:
    op.add_column("backup", sa.Column("data_files", sa.Integer(), server_default="0", nullable=False))
    op.add_column(
        "backup",
        sa.Column("categories", postgresql.ARRAY(sa.String()), server_default="{}", nullable=False),
    )
    op.execute(FILL.format(lists=LISTS))


def downgrade() -> None:
    op.drop_column("backup", "categories")
    op.drop_column("backup", "data_files")
