"""Stuck work, operators' actions, and one view of all cases with their workflows"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

WORKFLOW_CASE = """
CREATE VIEW workflow_case AS
SELECT id AS case_id, 'backup' AS kind, 'backup-' || id AS workflow_id, unit_code, 1 AS people, state,
       created_at, CASE WHEN closed_at IS NULL THEN expires_at END AS due_at, closed_at
FROM backup WHERE registrant_id IS NULL
UNION ALL
SELECT id, 'claim', 'claim-' || id, unit_code, 1, state, created_at, due_at, closed_at FROM claim
UNION ALL
SELECT id, 'unit_claim', 'unit-claim-' || id, unit_code, 2, state, created_at, due_at, closed_at
FROM unit_claim
UNION ALL
SELECT id, 'handover', 'handover-' || from_id, unit_code, 3, state, created_at, due_at, closed_at
FROM handover
UNION ALL
SELECT id, 'comparison', 'rule-comparison-' || id, NULL, 1, '', NULL, NULL, NULL FROM rule_comparison
UNION ALL
SELECT id, 'attribution', 'attribution-' || id, unit_code, 1, '', NULL, NULL, NULL FROM account
"""


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "stuck_work",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("workflow_id", sa.String(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("case_kind", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("activity", sa.String(), nullable=False),
        sa.Column("local", sa.Boolean(), nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("seen_at", moment, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("unit_code", sa.String(), nullable=True),
        sa.Column("cleared_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("workflow_id", "cause", "activity", name="one_row_per_cause"),
    )
    op.create_index(
        "stuck_work_open", "stuck_work", ["cause", "seen_at"], postgresql_where=sa.text("cleared_at IS NULL")
    )
    op.create_index("stuck_work_by_case", "stuck_work", ["case_id"])
    op.create_table(
        "operator_action",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=True),
        sa.Column("at", moment, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("case_id", "revision", name="one_action_per_revision"),
    )
    # The scan reads what is open and what was asked lately. No column of these indexes changes with a save.
    op.create_index(
        "backup_open", "backup", ["id"], postgresql_where=sa.text("state IN ('draft', 'waiting_for_deposit')")
    )
    op.create_index("sms_message_by_case", "sms_message", ["case_id"])
    op.create_index("operation_by_time", "operation", ["asked_at"], postgresql_using="brin")
    op.execute(WORKFLOW_CASE)


def downgrade() -> None:
    op.execute("DROP VIEW workflow_case")
    op.drop_index("operation_by_time")
    op.drop_index("sms_message_by_case")
    op.drop_index("backup_open")
    op.drop_table("operator_action")
    op.drop_table("stuck_work")
