"""Releases are brought into force by signed acts; nobody changes either"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = ("rulebook_release", "rulebook_act")


def upgrade() -> None:
    op.drop_index(op.f("ix_rulebook_release_effective_from"), table_name="rulebook_release")
    op.drop_column("rulebook_release", "effective_from")
    op.create_table(
        "rulebook_act",
        sa.Column("release_digest", sa.String(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("signer", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=True),
        sa.Column("restores", sa.String(), nullable=True),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("(kind = 'schedule') = (effective_from IS NOT NULL)", name="date_iff_scheduled"),
        sa.ForeignKeyConstraint(["release_digest"], ["rulebook_release.digest"]),
        sa.ForeignKeyConstraint(["restores"], ["rulebook_release.digest"]),
        sa.PrimaryKeyConstraint("release_digest", "sequence"),
    )
    op.create_index(op.f("ix_rulebook_act_effective_from"), "rulebook_act", ["effective_from"], unique=False)
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only / 只增不改', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TRIGGER append_only ON {table}")
    op.execute("DROP FUNCTION refuse_change()")
    op.drop_index(op.f("ix_rulebook_act_effective_from"), table_name="rulebook_act")
    op.drop_table("rulebook_act")
    op.add_column(
        "rulebook_release",
        sa.Column("effective_from", sa.Date(), nullable=False, server_default=sa.text("'9999-12-31'")),
    )
    op.alter_column("rulebook_release", "effective_from", server_default=None)
    op.create_index(
        op.f("ix_rulebook_release_effective_from"), "rulebook_release", ["effective_from"], unique=False
    )
