"""The worker's composition root: settings, client, activities, worker. No logic."""

import asyncio
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

import logs
import settings as configuration
from activities.amendments import AmendmentActivities
from activities.attempts import Attempts
from activities.attribution import AttributionActivities
from activities.audit import AuditActivities, sealing
from activities.backups import BackupActivities
from activities.blocking import BlockActivities
from activities.catch_up import CatchUpActivities
from activities.claims import ClaimActivities
from activities.delegation import DelegationActivities
from activities.deposits import DepositActivities
from activities.manifests import ManifestActivities
from activities.prior_reports import PriorReportActivities
from activities.repositories import Cncb, Offline
from activities.rulebooks import RulebookActivities
from activities.sms.choice import chosen
from activities.sms.outbox import SmsActivities
from activities.stuck_scan import StuckScanActivities
from activities.sweep import SweepActivities
from activities.unit_claims import UnitClaimActivities
from settings import Settings
from store.answer_keys import AnswerKeys
from store.database import connect as connect_database
from store.eligibility import Eligibility
from store.encryption import ColumnCipher
from store.forms import FormStore
from store.releases import Rulebooks
from wire.client import connect as connect_temporal
from wire.client import worker_runtime
from wire.keys import KeyRing
from workflows.attribution import Attribution
from workflows.backup_creation import BackupCreation
from workflows.catch_up import CatchingUp
from workflows.claim import Claim
from workflows.delegation import Handover
from workflows.number_withdrawal import NumberWithdrawal
from workflows.prior_report import PriorReport
from workflows.rule_comparison import RuleComparison
from workflows.stuck_scan import StuckScan
from workflows.sweep import Sweep
from workflows.tree_head import TreeHead
from workflows.unit_claim import UnitClaim

THREADS = 16
"""Activities that run at once; each holds at most one database connection."""
GRACE = timedelta(seconds=20)
"""How long running activities may take to end when the worker is told to stop."""


def build(
    settings: Settings, client: Client, threads: ThreadPoolExecutor, *, sandboxed: bool = True
) -> Worker:
    """Put the worker together; nothing runs yet.

    Args:
        settings: Of the deployment.
        client: Connected to Temporal.
        threads: `THREADS` of them, for activities.
        sandboxed: Whether workflows are kept from clock, chance and files, for a third of the processor's
            time. In tests they are; `main` runs what has passed them (docs/decisions/sandbox-in-tests.md).
    """
    engine = connect_database(
        settings.database_url.get_secret_value(), pool_size=THREADS, ask_before_use=False
    )
    audit = AuditActivities(engine, AnswerKeys.load(settings.answer_keys))
    cipher = ColumnCipher(KeyRing.load(settings.keys_file))
    forms = FormStore(cipher)
    rulebooks = Rulebooks(settings.rule_signers)
    attributions = AttributionActivities(engine, rulebooks)
    backups = BackupActivities(engine, rulebooks, forms)
    asking_cncb = settings.repository_lookup == "cncb"
    repositories = Cncb(str(settings.repository_url)) if asking_cncb else Offline()
    deposits = DepositActivities(engine, repositories)
    manifests = ManifestActivities(engine, rulebooks)
    comparisons = RulebookActivities(engine, rulebooks, forms)
    messages = SmsActivities(engine, cipher, chosen(settings, engine))
    claims = ClaimActivities(engine, rulebooks, cipher)
    unit_claims = UnitClaimActivities(engine, rulebooks, cipher)
    delegation = DelegationActivities(engine, rulebooks)
    prior_reports = PriorReportActivities(engine, Eligibility(rulebooks))
    amendments = AmendmentActivities(engine, rulebooks)
    stuck = StuckScanActivities(engine, client, rulebooks)
    blocks = BlockActivities(engine)
    return Worker(
        client,
        task_queue=settings.task_queue,
        workflows=[
            Attribution,
            BackupCreation,
            CatchingUp,
            Claim,
            Handover,
            NumberWithdrawal,
            PriorReport,
            RuleComparison,
            StuckScan,
            Sweep,
            TreeHead,
            UnitClaim,
        ],
        activities=[
            attributions.attribute,
            audit.sign_tree_head,
            backups.record_step,
            backups.seal_backup,
            backups.close_backup,
            backups.record_deposits,
            backups.send_reminder,
            deposits.look_up,
            manifests.judge_manifest,
            comparisons.compare_rules,
            messages.send_message,
            claims.open_claim,
            claims.issue_code,
            claims.ask_for_code,
            claims.try_code,
            claims.move_claim,
            claims.decide_claim,
            claims.lapse_claim,
            unit_claims.open_unit_claim,
            unit_claims.try_step_up,
            unit_claims.approve_unit_claim,
            unit_claims.move_unit_claim,
            unit_claims.reverse_unit_claim,
            unit_claims.lapse_unit_claim,
            prior_reports.record_prior_report,
            amendments.withdraw_number,
            amendments.open_correction,
            delegation.open_handover,
            delegation.decide_handover,
            delegation.move_handover,
            delegation.lapse_handover,
            stuck.scan_for_stuck_work,
            blocks.note_block,
            blocks.return_case,
            SweepActivities(engine, client).clear_away,
            CatchUpActivities(engine, client, rulebooks, backups).catch_up,
        ],
        interceptors=[Attempts(engine)],
        workflow_runner=SandboxedWorkflowRunner() if sandboxed else UnsandboxedWorkflowRunner(),
        activity_executor=threads,
        max_concurrent_activities=THREADS,
        max_concurrent_local_activities=THREADS,
        graceful_shutdown_timeout=GRACE,
    )


async def main() -> None:
    """Run a worker until it is told to stop (SIGTERM, SIGINT)."""
    settings = configuration.load()
    logs.configure(settings.log_format)
    stop = asyncio.Event()
    for signal_ in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_, stop.set)
    client = await connect_temporal(settings, worker_runtime(settings.worker_metrics))
    sealer = connect_database(settings.database_url.get_secret_value(), pool_size=1)
    with ThreadPoolExecutor(THREADS) as threads, sealing(sealer):
        async with build(settings, client, threads, sandboxed=False):
            await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
