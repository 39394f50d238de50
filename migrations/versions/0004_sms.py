"""Text messages: an outbox, and an inbox that stands for a phone's screen"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sms_message",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("phone", sa.LargeBinary(), nullable=True),
        sa.Column("code", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("provider", sa.String(), nullable=True),
        sa.Column("provider_id", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("send_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("receipt_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "sms_message_unsent", "sms_message", ["send_before"], postgresql_where=sa.text("phone IS NOT NULL")
    )
    op.create_index("sms_message_by_provider_id", "sms_message", ["provider", "provider_id"])
    op.create_table(
        "sms_inbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_sms_inbox_arrived_at"), "sms_inbox", ["arrived_at"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_sms_inbox_arrived_at"), table_name="sms_inbox")
    op.drop_table("sms_inbox")
    op.drop_index("sms_message_by_provider_id", table_name="sms_message")
    op.drop_index("sms_message_unsent", table_name="sms_message")
    op.drop_table("sms_message")
