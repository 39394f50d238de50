"""The rulebook over HTTP: what is in force, since when, by whose decision, and what it would say."""

import base64
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool

from api import views
from api.auth import Identity, IdentityDep
from api.bodies import StrictRoute
from api.drafts import declared_step
from api.language import LanguageDep
from api.platform import Platform, PlatformDep
from api.uploads import MANIFEST_BODY, Upload, add_list, spooled
from rules.engine.acts import SignedAct
from rules.engine.model import Repository
from rules.engine.procedures import Step
from rules.engine.receipt import Receipt, receipt
from rules.engine.release import Release
from rules.engine.rule import Rule
from rules.engine.sentences import basis
from schemas.errors import Refusal
from schemas.findings import Finding
from schemas.http import backups as backups_http
from schemas.http import rules as http
from schemas.tables.rulebook import RulebookRelease
from schemas.texts import Language
from store import queries
from store.database import Reader, reading, rehearsing
from store.releases import Entry, Rulebook
from store.submissions import assess_content

router = APIRouter(prefix="/v1", tags=["rules"], route_class=StrictRoute)

MOST_REMARKS = 1000
"""Remarks of a list that a dry run shows."""
_IN_FORCE_ONCE = ("superseded", "in_force")


@router.get("/rules/matrix", operation_id="getMatrix", summary="什么归入哪个库 / What goes where")
def get_matrix(platform: PlatformDep, spoken: LanguageDep) -> http.MatrixView:
    """Category × data type × repository, with the formats each repository takes, by the release in force."""
    release = _in_force(platform).release
    return http.MatrixView(
        judged_by=views.release_ref(release),
        categories={
            id_: views.spoken(category.title, spoken) for id_, category in release.categories.items()
        },
        cells=[
            http.MatrixCell(
                category=cell.category,
                data_type=cell.data_type,
                kind=http.Kind(field=cell.kind[0], value=cell.kind[1]) if cell.kind else None,
                title=views.spoken(cell.title, spoken),
                repositories=list(cell.repositories),
            )
            for cell in release.cells
        ],
        repositories=[
            _repository(id_, repository, spoken) for id_, repository in release.repositories.items()
        ],
    )


@router.get("/rules/releases", operation_id="listReleases", summary="规则版本 / Releases")
def list_releases(platform: PlatformDep) -> http.ReleaseList:
    """Every release with who proposed, approved and scheduled it."""
    with reading(platform.engine) as reader:
        found = platform.rulebooks.entries(reader, datetime.now(UTC))
    return http.ReleaseList(releases=[_summary(entry) for entry in found])


@router.get("/rules/releases/{digest}", operation_id="getRelease", summary="一个规则版本 / One release")
def get_release(digest: str, platform: PlatformDep) -> http.ReleaseView:
    """One release with its content, so that anyone can compute its digest and check the signatures."""
    with reading(platform.engine) as reader:
        entries = platform.rulebooks.entries(reader, datetime.now(UTC))
        entry = next((entry for entry in entries if entry.digest == digest), None)
        if entry is None:
            raise Refusal("not_found")
        canonical = reader.get_one(RulebookRelease, digest).canonical
    if entry.status == "untrusted":
        raise Refusal("release_untrusted")
    return http.ReleaseView(**_summary(entry).model_dump(), documents=json.loads(canonical))


@router.get("/rules/{rule_id}", operation_id="getRule", summary="一条规则 / One rule")
def get_rule(rule_id: str, platform: PlatformDep, spoken: LanguageDep) -> http.RuleView:
    """The text of one rule, what it rests on, and which releases added, changed or removed it."""
    with reading(platform.engine) as reader:
        release = platform.rulebooks.in_force(reader, datetime.now(UTC)).release
        history = list(_history(platform, reader, rule_id))
    rule = release.rules.get(rule_id)
    if rule is None:
        raise Refusal("not_found")
    return http.RuleView(
        id=rule.id,
        subject=rule.subject,
        severity=rule.severity,
        message=views.spoken(rule.message, spoken),
        decision=views.spoken(rule.decision, spoken) if rule.decision else None,
        basis=[http.RuleBasis(**each._asdict()) for each in basis(release, _remark(rule), spoken)],
        when=rule.when,
        require=rule.require,
        judged_by=views.release_ref(release),
        history=history,
    )


@router.post("/rule-evaluations", operation_id="evaluateRecords", summary="试判记录 / Judge records, dry")
def evaluate_records(
    body: http.NewRuleEvaluation, _: IdentityDep, platform: PlatformDep, spoken: LanguageDep
) -> http.RuleEvaluation:
    """What the rules in force say of records; nothing is saved."""
    rulebook = _in_force(platform)
    release = rulebook.release
    if body.subject not in release.subjects:
        expected = ", ".join(sorted(release.subjects))
        raise RequestValidationError(
            [{"type": "enum", "loc": ("body", "subject"), "ctx": {"expected": expected}}]
        )
    results = []
    for record in body.records:
        found = rulebook.judge.judge(body.subject, record)
        account = receipt(rulebook.judge, body.subject, record, found)
        results.append(
            http.RecordEvaluation(
                verdict=account.verdict,
                remarks=views.findings(release, None, found, spoken),
                receipt=_receipt(account),
            )
        )
    return http.RuleEvaluation(judged_by=views.release_ref(release), results=results)


@router.post(
    "/rule-evaluations/steps/{step}/manifests",
    operation_id="evaluateManifest",
    summary="试判文件清单 / Judge a file list, dry",
    openapi_extra=MANIFEST_BODY,
)
async def evaluate_manifest(
    step: str, request: Request, who: IdentityDep, platform: PlatformDep, spoken: LanguageDep
) -> http.ManifestEvaluation:
    """What the rules in force say of a file list, sent as for a draft; nothing is saved."""
    declared, rulebook = await run_in_threadpool(declared_step, platform, step, "manifest")
    limits = rulebook.release.procedure("backup-creation").limits
    async with spooled(request, limits.manifest_bytes_max) as upload:
        return await run_in_threadpool(_rehearse, platform, who, declared, rulebook, upload, spoken)


def _rehearse(
    platform: Platform, who: Identity, step: Step, rulebook: Rulebook, upload: Upload, spoken: Language
) -> http.ManifestEvaluation:
    """Store and judge the list as an upload does, tell what came of it, and undo it all."""
    with rehearsing(platform.engine) as writer:
        content = add_list(writer, upload, uuid4(), who.account_id, step, rulebook)
        writer.flush()  # it is judged from the tables
        assessed = assess_content(
            writer, rulebook, platform.forms, step, content.id, sorted(content.in_transit)
        )
        on_whole = views.findings(rulebook.release, step.id, assessed.findings, spoken)
        on_rows = _on_rows(Reader(writer), step, rulebook, content.id, spoken)
        remarks = [*on_whole, *islice(on_rows, MOST_REMARKS + 1)]
    return http.ManifestEvaluation(
        judged_by=views.release_ref(rulebook.release),
        verdict="refused" if assessed.counts.error else "accepted",
        rows=content.rows,
        unreadable_rows=content.unreadable_rows,
        findings=views.counts(assessed.counts),
        remarks=remarks[:MOST_REMARKS],
        complete=len(remarks) <= MOST_REMARKS,
    )


def _on_rows(
    reader: Reader, step: Step, rulebook: Rulebook, manifest_id: UUID, spoken: Language
) -> Iterator[backups_http.FindingView]:
    for _, fault in queries.row_faults(reader, manifest_id, 0, MOST_REMARKS + 1):
        yield views.row_fault(step.id, fault, spoken)
    release = rulebook.release
    for _, found in queries.row_findings(reader, manifest_id, release.digest, None, 0, MOST_REMARKS + 1):
        yield views.finding(release, step.id, found, spoken)


def _receipt(account: Receipt) -> http.ReceiptView:
    remarks = [http.ReceiptRemark(**remark._asdict()) for remark in account.remarks]
    return http.ReceiptView(**asdict(account) | {"digest": account.digest, "remarks": remarks})


def _in_force(platform: Platform) -> Rulebook:
    with reading(platform.engine) as reader:
        return platform.rulebooks.in_force(reader, datetime.now(UTC))


def _repository(id_: str, repository: Repository, spoken: Language) -> http.MatrixRepository:
    return http.MatrixRepository(
        id=id_,
        name=repository.name,
        title=views.spoken(repository.title, spoken),
        home=repository.home,
        contact=backups_http.Contact.model_validate(repository.contacts, from_attributes=True),
        formats={data_type: list(formats) for data_type, formats in repository.formats.items()},
    )


def _summary(entry: Entry) -> http.ReleaseSummary:
    return http.ReleaseSummary(
        version=entry.version,
        digest=entry.digest,
        status=entry.status,
        effective_from=entry.effective_from,
        acts=[_act(signed) for signed in entry.acts],
    )


def _act(signed: SignedAct) -> http.ActView:
    act, signature = signed
    return http.ActView(
        **act.model_dump(exclude={"release", "version"}), signature=base64.b64encode(signature).decode()
    )


def _history(platform: Platform, reader: Reader, rule_id: str) -> Iterator[http.RuleChange]:
    """Each release that judged and in which the rule is not as it was before, the earliest first."""
    before: Rule | None = None
    entries = platform.rulebooks.entries(reader, datetime.now(UTC))
    judged = [entry for entry in entries if entry.status in _IN_FORCE_ONCE and entry.effective_from]
    for entry in sorted(judged, key=lambda entry: (entry.effective_from, entry.acts[-1].act.at)):
        release = platform.rulebooks.by_digest(reader, entry.digest).release
        rule = release.rules.get(rule_id)
        if rule != before:
            yield _change(release, entry, before, rule)
        before = rule


def _change(release: Release, entry: Entry, before: Rule | None, rule: Rule | None) -> http.RuleChange:
    assert entry.effective_from  # noqa: S101  (it has judged)
    return http.RuleChange(
        release=views.release_ref(release),
        effective_from=entry.effective_from,
        change="added" if before is None else "removed" if rule is None else "changed",
    )


def _remark(rule: Rule) -> Finding:
    return Finding(rule.id, rule.severity, "")
