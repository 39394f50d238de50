"""What drafts did not do themselves is done for them, once."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx2
import psycopg
import pytest
from http_deployment import Deployment, open_draft, upload
from sqlalchemy import Engine
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.backups import BackupActivities
from activities.catch_up import CatchUpActivities
from schemas.contracts.operations import CatchUp, CaughtUp
from store.database import connect
from store.encryption import ColumnCipher
from store.forms import FormStore
from store.releases import Rulebooks
from wire.keys import KeyRing

WAITING = (
    "file_name,repository,accession,category,data_type,deposit\n"
    "A_1.fq.gz,gsa-human,HRA009001,wgs,raw,in_transit\n"
)


@pytest.fixture
def engine(plant: Deployment) -> Iterator[Engine]:
    engine = connect(plant.settings.database_url.get_secret_value(), pool_size=2)
    yield engine
    engine.dispose()


@pytest.fixture
def activities(plant: Deployment, engine: Engine, client: Client) -> CatchUpActivities:
    forms = FormStore(ColumnCipher(KeyRing.load(plant.settings.keys_file)))
    rulebooks = Rulebooks(plant.settings.rule_signers)
    return CatchUpActivities(engine, client, rulebooks, BackupActivities(engine, rulebooks, forms))


async def caught_up(activities: CatchUpActivities) -> CaughtUp:
    return await ActivityEnvironment().run(activities.catch_up, CatchUp())


def saved_days_ago(plant: Deployment, draft: str, days: int) -> None:
    """As our records have it; the workflow's timers know nothing of it, as if they had been lost."""
    with psycopg.connect(plant.database_url) as connection:
        connection.execute(
            "UPDATE backup SET saved_at = now() - make_interval(days => %(days)s),"
            " expires_at = now() + make_interval(days => 180 - %(days)s) WHERE id = %(id)s",
            {"days": days, "id": draft},
        )


def reminders(plant: Deployment, draft: str) -> list[uuid.UUID]:
    return [
        row[0]
        for row in plant.query(
            "SELECT id FROM notice WHERE backup_id = %s AND kind = 'draft_expires' ORDER BY created_at", draft
        )
    ]


async def test_a_reminder_that_is_missing_is_left_once_and_none_before_it_is_due(
    plant: Deployment, activities: CatchUpActivities, zhang: httpx2.Client
) -> None:
    young, middle, old = (open_draft(zhang) for _ in range(3))
    for draft, days in ((young, 140), (middle, 155), (old, 178)):
        saved_days_ago(plant, draft, days)
    assert (await caught_up(activities)).reminded == 2
    assert [len(reminders(plant, draft)) for draft in (young, middle, old)] == [0, 1, 2]
    assert (await caught_up(activities)).reminded == 0
    assert [len(reminders(plant, draft)) for draft in (young, middle, old)] == [0, 1, 2]


async def test_a_draft_whose_look_up_is_overdue_is_asked_for_it_once_a_day_unless_its_workflow_is_gone(
    plant: Deployment, activities: CatchUpActivities, client: Client, zhang: httpx2.Client
) -> None:
    drafts = [open_draft(zhang) for _ in range(3)]
    for draft in drafts:
        assert upload(zhang, draft, WAITING.encode()).status_code == 201
    fresh, overdue, gone = drafts
    for draft in (overdue, gone):
        saved_days_ago(plant, draft, 3)
    await client.get_workflow_handle(f"backup-{gone}").terminate()
    first = await caught_up(activities)
    assert (first.rechecked, first.unreachable) == (1, 1)
    asked = client.get_workflow_handle(f"backup-{overdue}").get_update_handle(
        f"catch-up {datetime.now(UTC).date()}"
    )
    await asked.result()
    checked = (
        "SELECT count(*) FROM operation"
        " WHERE case_id = %s AND kind = 'check_deposits' AND outcome IS NOT NULL"
    )
    assert plant.query(checked, overdue) == [(1,)]
    assert plant.query(checked, fresh) == [(0,)]
    await caught_up(activities)
    assert plant.query(checked, overdue) == [(1,)]
