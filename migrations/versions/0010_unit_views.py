"""Indexes of what a unit's backups are looked for by: title, accession, person"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# Of the core alone: pg_trgm is an extension that not every PostgreSQL has.
TITLE_GRAMS = """
CREATE FUNCTION title_grams(unit varchar, title varchar) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT array_agg(DISTINCT unit || substr(lower(title), place, 2))
    FROM generate_series(1, length(lower(title)) - 1) AS place
$$
"""
TITLE_INDEX = """
CREATE INDEX backup_by_title ON backup USING gin (title_grams(unit_code, title))
WHERE unit_code IS NOT NULL AND title IS NOT NULL
"""
ACCESSIONS = """
INSERT INTO manifest_accession (accession, manifest_id)
SELECT DISTINCT record ->> 'accession', manifest_id FROM manifest_row
WHERE length(record ->> 'accession') <= 40
"""


def upgrade() -> None:
    op.execute(TITLE_GRAMS)
    op.execute(TITLE_INDEX)
    op.create_index("backup_by_holder", "backup", ["unit_code", "delegate_id", "state"])
    op.create_index("backup_step_by_content", "backup_step", ["content_id"])
    op.create_table(
        "manifest_accession",
        sa.Column("accession", sa.String(length=40), nullable=False),
        sa.Column("manifest_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("accession", "manifest_id"),
    )
    op.execute(ACCESSIONS)


def downgrade() -> None:
    op.drop_table("manifest_accession")
    op.drop_index("backup_step_by_content")
    op.drop_index("backup_by_holder")
    op.drop_index("backup_by_title")
    op.execute("DROP FUNCTION title_grams")
