"""New releases of the rulebook reach drafts that are open already; the one of the day judges."""

import json
from datetime import UTC, datetime, timedelta

from backup_desk import Desk, changed_release, with_fourth_step
from sqlmodel import select
from temporalio.testing import TimeSkipper

from rules.engine.acts import china_day
from rules.engine.release import Release
from schemas.tables.contents import ManifestJudgement
from store.database import reading
from store.submissions import assess

NEXT = "2023.7.2"


def today() -> datetime:
    return datetime.now(UTC)


def with_sizes_asked_for(release: Release) -> Release:
    """The same rules, and every row of a list must tell the size of its file."""
    requirements = json.loads(release.canonical())["requirements/data-files"]
    pattern = next(rule for rule in requirements["rules"] if rule["id"] == "md5-needed")
    size_needed = pattern | {"id": "size-needed", "require": {"required": ["size_bytes"]}}
    more = {"requirements/data-files": {"rules": [*requirements["rules"], size_needed]}}
    return changed_release(release, NEXT, china_day(today()), **more)


async def test_a_draft_opened_under_an_earlier_release_finds_a_fourth_step_open(
    own_desk: Desk, release: Release
) -> None:
    draft = await own_desk.filled()
    own_desk.publish(newer := with_fourth_step(release, NEXT, china_day(today())))
    platform = own_desk.platform
    with reading(platform.engine) as reader:
        rulebook = platform.rulebooks.in_force(reader, today())
        steps = assess(reader, rulebook, platform.forms, draft.id).steps
    assert [step.saved is not None for step in steps] == [True, True, True, False]
    verdict = await draft.submit()
    assert (verdict.accepted, verdict.errors, verdict.release) == (False, 1, newer.digest)
    assert (await draft.save("security-review", {"title": "安全审查意见"})).revision == 1
    verdict = await draft.submit()
    assert (verdict.accepted, verdict.release) == (True, newer.digest)
    assert draft.row().release_digest == newer.digest


async def test_the_release_in_force_on_the_day_of_submission_judges(
    own_desk: Desk, release: Release, time_skipper: TimeSkipper
) -> None:
    early, late = await own_desk.filled(), await own_desk.filled()
    own_desk.publish(newer := with_fourth_step(release, NEXT, china_day(today() + timedelta(days=10))))
    await time_skipper.fast_forward(early.handle, timedelta(days=8))
    await time_skipper.fast_forward(late.handle, timedelta(days=11))
    assert (await early.submit()).release == release.digest
    assert early.row().release_digest == release.digest
    verdict = await late.submit()
    assert (verdict.accepted, verdict.release) == (False, newer.digest)


async def test_a_list_is_judged_again_at_submission_when_a_new_release_has_not_judged_it(
    own_desk: Desk, release: Release
) -> None:
    draft = await own_desk.filled()
    own_desk.publish(newer := with_sizes_asked_for(release))
    verdict = await draft.submit()
    assert (verdict.accepted, verdict.release) == (False, newer.digest)
    assert (await draft.submit()).errors == verdict.errors
    activities = [
        event.activity_task_scheduled_event_attributes.activity_type.name
        for event in (await draft.history()).events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    assert activities == ["judge_manifest"], "once, by an activity of its own"
    with reading(own_desk.platform.engine) as reader:
        judgements = reader.exec(select(ManifestJudgement)).all()
    assert {row.release_digest: row.errors for row in judgements} == {release.digest: 0, newer.digest: 1}


async def test_a_list_that_satisfies_the_new_release_as_well_is_numbered_in_one_submission(
    own_desk: Desk, release: Release
) -> None:
    draft = await own_desk.filled()
    own_desk.publish(newer := changed_release(release, NEXT, china_day(today())))
    verdict = await draft.submit()
    assert (verdict.accepted, verdict.release) == (True, newer.digest)
