"""Reads of backups: SELECT only, scoped to who asks."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response

from api import views
from api.accounts import Member, viewer
from api.bodies import StrictRoute
from api.language import LanguageDep
from api.pages import DEFAULT_SIZE, BigInteger, Integer, Keyset, NewestFirst, PageSize, PageToken
from api.platform import Platform, PlatformDep
from api.problems import etag
from rules.engine.procedures import Step
from rules.engine.release import Release
from schemas.errors import Refusal
from schemas.findings import Finding, Severity
from schemas.http import backups as http
from schemas.tables.backups import Backup, BackupStep
from schemas.texts import Language
from store import queries
from store.database import Reader, asking, reading
from store.manifests import Counts
from store.releases import Rulebook
from store.submissions import AssessedStep, Assessment, assess

router = APIRouter(prefix="/v1", tags=["backup"], route_class=StrictRoute)

State = Literal["draft", "waiting_for_deposit", "numbered", "withdrawn", "expired", "superseded"]

BACKUPS: Keyset[NewestFirst] = Keyset("backups", NewestFirst)
FINDINGS: Keyset[tuple[int, int]] = Keyset("findings", tuple[Integer, BigInteger])
DATA_FILES: Keyset[int] = Keyset("data files", Integer)


@router.get("/backups", operation_id="listBackups", summary="名下备份 / Backups")
def list_backups(
    who: Member,
    platform: PlatformDep,
    page_size: PageSize = DEFAULT_SIZE,
    page_token: PageToken = None,
    state: Annotated[State | None, Query(description="只列此状态 / Only this state")] = None,
) -> http.BackupPage:
    """The backups under one's name, newest first; for a unit administrator, those of the unit's people."""
    after = BACKUPS.after(page_token)
    with asking(platform.engine) as reader:
        rows = queries.backups(reader, viewer(who), after, page_size + 1, state)
    page, token = BACKUPS.page(rows, page_size, lambda row: NewestFirst(row.created_at, row.id))
    return http.BackupPage(
        backups=[views.backup_summary(row) for row in page], pagination=http.Pagination(next_page_token=token)
    )


@router.get("/backups/{backup_id}", operation_id="getBackup", summary="备份详情 / One backup")
def get_backup(backup_id: UUID, who: Member, platform: PlatformDep, spoken: LanguageDep) -> http.BackupView:
    """One backup: its steps, what the rules say of it, and whom it waits for."""
    with reading(platform.engine) as reader:
        row = queries.backup(reader, viewer(who), backup_id)
        rulebook = judging(reader, platform, row)
        assessment = _assessed(reader, platform, rulebook, row)
        waiting = views.waiting_for(reader, rulebook.release, row, spoken)
        return views.backup(row, rulebook.release, assessment, waiting, spoken)


@router.get("/backups/{backup_id}/steps/{step}", operation_id="getStep", summary="步骤 / One step")
def get_step(
    backup_id: UUID, step: str, who: Member, platform: PlatformDep, spoken: LanguageDep, response: Response
) -> http.StepView:
    """What is saved of one step; its ETag is the revision that a save must name in If-Match."""
    with reading(platform.engine) as reader:
        row = queries.backup(reader, viewer(who), backup_id)
        rulebook = judging(reader, platform, row)
        assessed = find_step(_assessed(reader, platform, rulebook, row), step)
        view = views.step(rulebook.release, assessed, spoken)
    response.headers["ETag"] = etag(view.revision)
    return view


@router.get("/backups/{backup_id}/findings", operation_id="listFindings", summary="校验结果 / Findings")
def list_findings(
    backup_id: UUID,
    who: Member,
    platform: PlatformDep,
    spoken: LanguageDep,
    page_size: PageSize = DEFAULT_SIZE,
    page_token: PageToken = None,
    step: Annotated[str | None, Query(max_length=64, description="只列此步骤 / Only this step")] = None,
    severity: Annotated[Severity | None, Query(description="只列此级别 / Only this severity")] = None,
) -> http.FindingPage:
    """Everything the rules say of a backup, step by step, then of the whole; by line for a list."""
    after = FINDINGS.after(page_token)
    with reading(platform.engine) as reader:
        row = queries.backup(reader, viewer(who), backup_id)
        rulebook = judging(reader, platform, row)
        assessment = _assessed(reader, platform, rulebook, row)
        if step is not None:
            find_step(assessment, step)
        listing = _Listing(reader, platform, rulebook, assessment, severity, spoken, page_size + 1)
        rows = list(islice(listing.of(step, after or (0, 0)), page_size + 1))
    page, token = FINDINGS.page(rows, page_size, lambda found: found[0])
    return http.FindingPage(
        findings=[view for _, view in page],
        judged_by=views.release_ref(rulebook.release),
        pagination=http.Pagination(next_page_token=token),
    )


@router.get(
    "/backups/{backup_id}/steps/{step}/data-files",
    operation_id="listDataFiles",
    summary="数据文件 / Data files",
)
def list_data_files(
    backup_id: UUID,
    step: str,
    who: Member,
    platform: PlatformDep,
    page_size: PageSize = DEFAULT_SIZE,
    page_token: PageToken = None,
) -> http.DataFilePage:
    """The rows of a saved list, normalised, in the order of the uploaded file."""
    after = DATA_FILES.after(page_token)
    with reading(platform.engine) as reader:
        row = queries.backup(reader, viewer(who), backup_id)
        declared = procedure_step(judging(reader, platform, row).release, step)
        if declared.kind != "manifest":
            raise Refusal("wrong_step_kind")
        saved = reader.get(BackupStep, (backup_id, step))
        rows = queries.data_files(reader, saved.content_id, after or 0, page_size + 1) if saved else []
    page, token = DATA_FILES.page(rows, page_size, lambda found: found[0])
    return http.DataFilePage(
        data_files=[{"line": line, **record} for line, record in page],
        pagination=http.Pagination(next_page_token=token),
    )


@router.get("/operations/{operation_id}", operation_id="getOperation", summary="办理进度 / One operation")
def get_operation(
    operation_id: UUID, who: Member, platform: PlatformDep, spoken: LanguageDep
) -> http.OperationView:
    """Where an asked-for change stands, and whom it waits for."""
    with reading(platform.engine) as reader:
        row = queries.operation(reader, viewer(who), operation_id)
        backup = reader.get(Backup, row.case_id)
        waiting = []
        if backup is not None:
            waiting = views.waiting_for(reader, judging(reader, platform, backup).release, backup, spoken)
        return views.operation(row, waiting)


def _assessed(reader: Reader, platform: Platform, rulebook: Rulebook, row: Backup) -> Assessment:
    """What the rules say of a backup; nothing of a legacy backup, which the old platform took."""
    if row.registrant_id is not None:
        return Assessment([], [], Counts(), [])
    return assess(reader, rulebook, platform.forms, row.id)


def judging(reader: Reader, platform: Platform, row: Backup) -> Rulebook:
    """The release a backup is shown by: the one in force today, or that which judged its submission."""
    if row.release_digest is not None:
        return platform.rulebooks.by_digest(reader, row.release_digest)
    return platform.rulebooks.in_force(reader, datetime.now(UTC))


def procedure_step(release: Release, step: str) -> Step:
    """A step that the procedure declares.

    Raises:
        Refusal: ``unknown_step``.
    """
    try:
        return release.procedure("backup-creation").step(step)
    except KeyError:
        raise Refusal("unknown_step") from None


def find_step(assessment: Assessment, step: str) -> AssessedStep:
    """One step of an assessed backup.

    Raises:
        Refusal: ``unknown_step``.
    """
    for assessed in assessment.steps:
        if assessed.step.id == step:
            return assessed
    raise Refusal("unknown_step")


Numbered = tuple[tuple[int, int], http.FindingView]
"""A finding under its page key: section and place in it."""


class _Listing:
    """Findings in sections: per step on the whole, unreadable rows, rows; then those on the backup."""

    def __init__(
        self,
        reader: Reader,
        platform: Platform,
        rulebook: Rulebook,
        assessment: Assessment,
        severity: Severity | None,
        spoken: Language,
        limit: int,
    ) -> None:
        self._reader = reader
        self._platform = platform
        self._rulebook = rulebook
        self._assessment = assessment
        self._severity = severity
        self._spoken = spoken
        self._limit = limit

    def of(self, step: str | None, after: tuple[int, int]) -> Iterator[Numbered]:
        """The findings behind a page key, of one step or of all."""
        for position, assessed in enumerate(self._assessment.steps):
            if step is None or step == assessed.step.id:
                yield from self._of_step(assessed, position * 3, after)
        if step is None:
            last = len(self._assessment.steps) * 3
            yield from self._listed(None, self._assessment.findings, last, after)

    def _of_step(self, assessed: AssessedStep, section: int, after: tuple[int, int]) -> Iterator[Numbered]:
        yield from self._listed(assessed.step.id, assessed.findings, section, after)
        if assessed.manifest is None:
            return
        manifest_id = assessed.manifest.id
        if self._severity in (None, "error") and after[0] <= section + 1:
            place = after[1] if after[0] == section + 1 else 0
            for key, fault in queries.row_faults(self._reader, manifest_id, place, self._limit):
                yield (section + 1, key), views.row_fault(assessed.step.id, fault, self._spoken)
        if after[0] <= section + 2:
            place = after[1] if after[0] == section + 2 else 0
            yield from self._on_rows(assessed, manifest_id, section + 2, place)

    def _on_rows(
        self, assessed: AssessedStep, manifest_id: UUID, section: int, place: int
    ) -> Iterator[Numbered]:
        digest = queries.judging_release(self._reader, manifest_id, self._rulebook.release.digest)
        release = self._platform.rulebooks.by_digest(self._reader, digest).release
        rows = queries.row_findings(self._reader, manifest_id, digest, self._severity, place, self._limit)
        for key, found in rows:
            yield (section, key), views.finding(release, assessed.step.id, found, self._spoken)

    def _listed(
        self, step: str | None, found: list[Finding], section: int, after: tuple[int, int]
    ) -> Iterator[Numbered]:
        for place, each in enumerate(found, start=1):
            if (section, place) > after and self._severity in (None, each.severity):
                yield (section, place), views.finding(self._rulebook.release, step, each, self._spoken)
