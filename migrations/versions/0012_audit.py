"""The audit trail: written by triggers beside the effects, sealed afterwards, never changed"""

from typing import NamedTuple

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# In plpgsql, which keeps its plans for the session: they run with every answer of the ledger.
CASE_KIND = """
CREATE FUNCTION audit_case_kind(of_case uuid) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF EXISTS (SELECT FROM backup WHERE id = of_case) THEN RETURN 'backup';
    ELSIF EXISTS (SELECT FROM claim WHERE id = of_case) THEN RETURN 'claim';
    ELSIF EXISTS (SELECT FROM unit_claim WHERE id = of_case) THEN RETURN 'unit_claim';
    ELSIF EXISTS (SELECT FROM handover WHERE id = of_case) THEN RETURN 'handover';
    ELSIF EXISTS (SELECT FROM rule_comparison WHERE id = of_case) THEN RETURN 'comparison';
    ELSIF EXISTS (SELECT FROM account WHERE id = of_case) THEN RETURN 'account';
    END IF;
    RETURN NULL;
END
$$
"""
ACTOR_KIND = """
CREATE FUNCTION audit_actor_kind(by_account uuid, kind varchar, of_case uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    administers boolean := FALSE;
BEGIN
    IF by_account IS NULL THEN
        RETURN 'system';
    ELSIF starts_with(kind, 'operator_') THEN
        RETURN 'operator';
    ELSIF kind IN ('rule_diff', 'rule_impact') THEN
        RETURN 'policy';
    ELSIF kind IN ('unit_claim', 'approve_unit_claim', 'reverse_unit_claim', 'decide_claim', 'handover') THEN
        administers := TRUE;
    ELSIF kind = 'try_code' THEN
        administers := EXISTS (SELECT FROM unit_claim WHERE id = of_case);
    ELSIF kind = 'decide_handover' THEN
        administers := NOT EXISTS (SELECT FROM handover WHERE id = of_case AND to_id = by_account);
    END IF;
    RETURN CASE WHEN administers THEN 'unit_administrator' ELSE 'person' END;
END
$$
"""
OPERATION = """
    INSERT INTO audit_event (at, act, actor_kind, actor_id, case_kind, case_id, operation_id, facts)
    SELECT {at}, o.kind, audit_actor_kind(o.account_id, o.kind, o.case_id), o.account_id,
           audit_case_kind(o.case_id), o.case_id, o.id,
           jsonb_build_object('request', o.request_digest, 'outcome', o.outcome)
    FROM {rows} AS o
"""
RULEBOOK_ACT = """
    INSERT INTO audit_event (at, act, actor_kind, facts)
    SELECT {at}, 'release_' || a.kind, 'policy', jsonb_strip_nulls(jsonb_build_object(
        'release', a.release_digest, 'sequence', a.sequence, 'signer', a.signer,
        'effective_from', a.effective_from, 'restores', a.restores,
        'signature', encode(a.signature, 'hex')))
    FROM {rows} AS a
"""
PRIOR_REPORT = """
    INSERT INTO audit_event (at, act, actor_kind, actor_id, case_kind, case_id, facts)
    SELECT {at}, 'prior_report', 'service', p.reported_by, 'backup', p.backup_id, jsonb_build_object(
        'report', p.report_id, 'account', p.account_id,
        'used_at', to_json(p.used_at AT TIME ZONE 'UTC') #>> '{{}}' || 'Z')
    FROM {rows} AS p
"""
STATE = """
    INSERT INTO audit_event (act, actor_kind, case_kind, case_id, facts)
    SELECT TG_TABLE_NAME || '_state', 'system', TG_ARGV[0],
           COALESCE(changed.said ->> 'claim_id', changed.said ->> 'id')::uuid,
           jsonb_strip_nulls(jsonb_build_object(
               'from', OLD.state, 'to', NEW.state,
               'reason', changed.said -> 'reason', 'unit', changed.said -> 'unit_code'))
    FROM (SELECT to_jsonb(NEW) AS said) AS changed
"""
TEXT_MESSAGE = """
    INSERT INTO audit_event (act, actor_kind, case_kind, case_id, facts)
    VALUES ('text_message', 'system', audit_case_kind(NEW.case_id), NEW.case_id, jsonb_strip_nulls(
        jsonb_build_object('message', NEW.id, 'kind', NEW.kind, 'from', OLD.state, 'to', NEW.state,
                           'failure', NEW.failure, 'provider', NEW.provider)))
"""
REMINDER = """
    INSERT INTO audit_event (act, actor_kind, case_kind, case_id, facts)
    VALUES ('reminder', 'system', 'backup', NEW.backup_id, jsonb_build_object(
        'notice', NEW.id, 'account', NEW.account_id,
        'expires_at', to_json(NEW.due_at AT TIME ZONE 'UTC') #>> '{}' || 'Z'))
"""
LEGACY_IMPORT = """
    INSERT INTO audit_event (act, actor_kind, facts)
    VALUES (CASE WHEN NEW.finished_at IS NULL THEN 'legacy_import_begun' ELSE 'legacy_import_finished' END,
            'operator', jsonb_build_object('digest', NEW.digest, 'counts', NEW.counts))
"""
ACCOUNT = """
    INSERT INTO audit_event (act, actor_kind, actor_id, case_kind, case_id, facts)
    VALUES ('account', 'person', NEW.id, 'account', NEW.id, jsonb_build_object(
        'unit', NEW.unit_code, 'real_name_verified', NEW.real_name_verified,
        'unit_authorised', NEW.unit_authorised, 'unit_administrator', NEW.unit_administrator))
"""
LIVE = {"at": "clock_timestamp()", "rows": "(SELECT NEW.*)"}
FUNCTIONS = {
    "audit_operation": OPERATION.format(**LIVE),
    "audit_rulebook_act": RULEBOOK_ACT.format(**LIVE),
    "audit_prior_report": PRIOR_REPORT.format(**LIVE),
    "audit_state": STATE,
    "audit_text_message": TEXT_MESSAGE,
    "audit_reminder": REMINDER,
    "audit_legacy_import": LEGACY_IMPORT,
    "audit_account": ACCOUNT,
    "audit_queue": "INSERT INTO audit_unsealed (event_id) VALUES (NEW.id)",
}
"""What runs after a row has changed."""
BACKFILL = (
    OPERATION.format(at="COALESCE(o.finished_at, o.asked_at)", rows="operation")
    + "WHERE outcome IS NOT NULL ORDER BY finished_at",
    RULEBOOK_ACT.format(at="a.at", rows="rulebook_act") + "ORDER BY at",
    PRIOR_REPORT.format(at="p.recorded_at", rows="prior_report") + "ORDER BY recorded_at",
)
"""What was done before there was a trail, as far as the tables still tell."""


class Trigger(NamedTuple):
    """When a function runs."""

    table: str
    name: str
    event: str
    function: str
    when: str = "TRUE"


STANDING = ("unit_code", "real_name_verified", "unit_authorised", "unit_administrator")
RESTOOD = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in STANDING)
MOVED_ON = "OLD.state IS DISTINCT FROM NEW.state"
TRIGGERS = (
    Trigger("operation", "audit_answer", "INSERT", "audit_operation()", "NEW.outcome IS NOT NULL"),
    Trigger(
        "operation",
        "audit_later_answer",
        "UPDATE OF outcome",
        "audit_operation()",
        "NEW.outcome IS DISTINCT FROM OLD.outcome",
    ),
    Trigger("rulebook_act", "audit_act", "INSERT", "audit_rulebook_act()"),
    Trigger("prior_report", "audit_report", "INSERT", "audit_prior_report()"),
    Trigger("claim", "audit_state", "UPDATE OF state", "audit_state('claim')", MOVED_ON),
    Trigger("claim_confirmation", "audit_state", "UPDATE OF state", "audit_state('claim')", MOVED_ON),
    Trigger("unit_claim", "audit_state", "UPDATE OF state", "audit_state('unit_claim')", MOVED_ON),
    Trigger("handover", "audit_state", "UPDATE OF state", "audit_state('handover')", MOVED_ON),
    Trigger("sms_message", "audit_state", "UPDATE OF state", "audit_text_message()", MOVED_ON),
    Trigger("notice", "audit_reminder", "INSERT", "audit_reminder()", "NEW.kind = 'draft_expires'"),
    Trigger("legacy_import", "audit_begin", "INSERT", "audit_legacy_import()"),
    Trigger(
        "legacy_import",
        "audit_end",
        "UPDATE OF finished_at",
        "audit_legacy_import()",
        "OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL",
    ),
    Trigger("account", "audit_account", "INSERT", "audit_account()"),
    Trigger("account", "audit_standing", f"UPDATE OF {', '.join(STANDING)}", "audit_account()", RESTOOD),
    Trigger("audit_event", "audit_queue", "INSERT", "audit_queue()"),
)
APPEND_ONLY = ("audit_event", "audit_seal", "audit_tree_head")
REFUSE = """
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '审计记录只增不改 / the audit trail is append-only: % of %', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END
$$
"""
ACTORS = "'person', 'unit_administrator', 'policy', 'operator', 'auditor', 'service', 'system'"


def upgrade() -> None:
    create_tables()
    for statement in (CASE_KIND, ACTOR_KIND, REFUSE):
        op.execute(statement)
    for name, body in FUNCTIONS.items():
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN {body}; RETURN NULL; END $$"
        )
    for trigger in TRIGGERS:
        op.execute(
            f"CREATE TRIGGER {trigger.name} AFTER {trigger.event} ON {trigger.table} "
            f"FOR EACH ROW WHEN ({trigger.when}) EXECUTE FUNCTION {trigger.function}"
        )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()"
        )
    for statement in BACKFILL:
        op.execute(statement)


def create_tables() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "audit_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", moment, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("actor_kind", sa.String(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("case_kind", sa.String(), nullable=True),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("workflow_id", sa.String(), nullable=True),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("facts", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.CheckConstraint(f"actor_kind IN ({ACTORS})", name="known_actor_kind"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("audit_event_by_case", "audit_event", ["case_id", "id"])
    op.create_index("audit_event_by_actor", "audit_event", ["actor_id", "id"])
    op.create_index("audit_event_by_act", "audit_event", ["act", "id"])
    op.create_index("audit_event_by_time", "audit_event", ["at"], postgresql_using="brin")
    op.create_table(
        "audit_unsealed",
        sa.Column("event_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("event_id"),
    )
    op.create_table(
        "audit_seal",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.Column("nodes", postgresql.ARRAY(sa.LargeBinary()), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("event_id"),
    )
    op.create_table(
        "audit_tree_head",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("signed", sa.String(), nullable=False),
        sa.Column("signed_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("size"),
    )


def downgrade() -> None:
    for trigger in TRIGGERS:
        op.execute(f"DROP TRIGGER {trigger.name} ON {trigger.table}")
    for table in (*APPEND_ONLY, "audit_unsealed"):
        op.drop_table(table)
    for name in (*FUNCTIONS, "audit_refuse"):
        op.execute(f"DROP FUNCTION {name}()")
    op.execute("DROP FUNCTION audit_case_kind(uuid)")
    op.execute("DROP FUNCTION audit_actor_kind(uuid, varchar, uuid)")
