"""Comparisons of releases over HTTP: asked for, carried out in the background, polled until they are done."""

from typing import Annotated, Any
from uuid import UUID, uuid5

from fastapi import APIRouter, Depends, Query, Response
from starlette.concurrency import run_in_threadpool
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from api import views
from api.auth import Identity, IdentityDep
from api.bodies import StrictRoute
from api.changes import Key, asked, carry_out
from api.commands import RETRY_AFTER, TAKEN
from api.language import LanguageDep
from api.pages import DEFAULT_SIZE, Keyset, PageSize, PageToken
from api.platform import Platform, PlatformDep
from rules.engine.acts import ReleaseRefused
from schemas.contracts.rulebooks import CompareRules
from schemas.errors import Refusal
from schemas.http import rules as http
from schemas.http.backups import Pagination, ReleaseRef
from schemas.stages import short
from schemas.tables.backups import Operation
from schemas.tables.rulebook import RulebookRelease, RuleComparison
from schemas.texts import Language
from store import comparisons
from store.comparisons import Kind
from store.database import Reader, reading
from store.impact import Group, Sums
from store.releases import digest_of
from wire import search_attributes
from wire.readable import Readable
from workflows.rule_comparison import RuleComparison as Workflow

router = APIRouter(prefix="/v1", tags=["rules"], route_class=StrictRoute)

CHANGES: Keyset[UUID] = Keyset("impact changes", UUID)
_UPDATE = "compare"


async def policy_maker(who: IdentityDep) -> Identity:
    """Dependency: somebody of the policy team, who may learn what was submitted, by id.

    Raises:
        Refusal: ``not_allowed``.
    """
    if "policy" not in who.roles:
        raise Refusal("not_allowed")
    return who


PolicyMaker = Annotated[Identity, Depends(policy_maker)]


@router.post(
    "/rule-diffs",
    operation_id="compareReleases",
    summary="比较两个规则版本 / Compare releases",
    status_code=202,
)
async def compare_releases(
    body: http.NewRuleDiff,
    key: Key,
    who: IdentityDep,
    platform: PlatformDep,
    spoken: LanguageDep,
    response: Response,
) -> http.RuleDiffView:
    """Ask which decisions change from one release to another; the answer says where to look for them."""
    old, new = await run_in_threadpool(_digests, platform, {"old": body.old, "new": body.new})
    id_ = await _begin(platform, who, key, "rule_diff", old, new, response)
    return await run_in_threadpool(_diff, platform, who, id_, spoken)


@router.get("/rule-diffs/{comparison_id}", operation_id="getRuleDiff", summary="比较结果 / One comparison")
def get_rule_diff(
    comparison_id: UUID, who: IdentityDep, platform: PlatformDep, spoken: LanguageDep, response: Response
) -> http.RuleDiffView:
    """How far a comparison that one has asked for has come, then what it found."""
    view = _diff(platform, who, comparison_id, spoken)
    _ask_again(view, response)
    return view


@router.post(
    "/rule-impacts",
    operation_id="replaySubmissions",
    summary="重判已存的备份 / Judge submissions anew",
    status_code=202,
)
async def replay_submissions(
    body: http.NewRuleImpact,
    key: Key,
    who: PolicyMaker,
    platform: PlatformDep,
    spoken: LanguageDep,
    response: Response,
) -> http.RuleImpactView:
    """Ask what a release would change of numbered backups and open drafts. Changes nothing of them."""
    (candidate,) = await run_in_threadpool(_digests, platform, {"candidate": body.candidate})
    id_ = await _begin(platform, who, key, "rule_impact", None, candidate, response)
    return await run_in_threadpool(_impact, platform, who, id_, spoken)


@router.get("/rule-impacts/{comparison_id}", operation_id="getRuleImpact", summary="重判结果 / One replay")
def get_rule_impact(
    comparison_id: UUID, who: PolicyMaker, platform: PlatformDep, spoken: LanguageDep, response: Response
) -> http.RuleImpactView:
    """How far a replay that one has asked for has come, and the sums of what would change."""
    view = _impact(platform, who, comparison_id, spoken)
    _ask_again(view, response)
    return view


@router.get(
    "/rule-impacts/{comparison_id}/changes",
    operation_id="listRuleImpactChanges",
    summary="会改变的备份 / Backups that would change",
)
def list_rule_impact_changes(
    comparison_id: UUID,
    who: PolicyMaker,
    platform: PlatformDep,
    page_size: PageSize = DEFAULT_SIZE,
    page_token: PageToken = None,
    group: Annotated[Group | None, Query(description="只列此类 / Only this group")] = None,
) -> http.ImpactChangePage:
    """The backups that would be judged otherwise, by id; those found so far while the replay runs."""
    after = CHANGES.after(page_token)
    with reading(platform.engine) as reader:
        comparisons.find(reader, "rule_impact", who.account_id, comparison_id)
        rows = comparisons.changes(reader, comparison_id, group, after, page_size + 1)
    page, token = CHANGES.page(rows, page_size, lambda row: row.backup_id)
    return http.ImpactChangePage(
        changes=[
            http.ImpactChange.model_validate(
                {"group": row.state, **row.model_dump(exclude={"comparison_id", "state"})}
            )
            for row in page
        ],
        pagination=Pagination(next_page_token=token),
    )


def _digests(platform: Platform, names: dict[str, str]) -> list[str]:
    digests = []
    with reading(platform.engine) as reader:
        for field, name in names.items():
            try:
                digests.append(digest_of(reader, name))
            except ReleaseRefused:
                raise Refusal("unknown_release", pointer=f"/{field}") from None
    return digests


async def _begin(
    platform: Platform, who: Identity, key: UUID, kind: Kind, old: str | None, new: str, response: Response
) -> UUID:
    """Note the comparison and start its workflow, or find that the very request was made before."""
    id_ = uuid5(who.account_id, f"{kind} {key}")
    change = asked(platform, who.account_id, id_, kind, _UPDATE, {"old": old, "new": new})
    comparison = RuleComparison(id=id_, old=old, new=new)
    order = CompareRules(operation_id=change.id, comparison_id=id_)
    outcome = await carry_out(
        platform,
        change,
        lambda writer: comparisons.begin(writer, comparison, who.account_id),
        lambda: _start(platform, order),
    )
    if outcome.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    response.headers["Location"] = f"/v1/{kind.replace('_', '-')}s/{id_}"
    response.headers["Retry-After"] = str(RETRY_AFTER)
    return id_


async def _start(platform: Platform, order: CompareRules) -> None:
    """Start the workflow of a comparison, unless it runs; started again, it goes on where it was.

    Raises:
        Refusal: ``waiting_for_platform``.
    """
    try:
        await platform.temporal.start_workflow(
            Workflow.run,
            order,
            id=f"rule-comparison-{order.comparison_id}",
            task_queue=platform.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=Readable(f"比较规则版本 · {short(order.comparison_id)}"),
            search_attributes=search_attributes.at_start(),
            rpc_timeout=TAKEN,
        )
    except RPCError:
        raise Refusal("waiting_for_platform", retry_after=RETRY_AFTER) from None


def _diff(platform: Platform, who: Identity, comparison_id: UUID, spoken: Language) -> http.RuleDiffView:
    with reading(platform.engine) as reader:
        found = comparisons.find(reader, "rule_diff", who.account_id, comparison_id)
        comparison = found[0]
        assert comparison.old is not None  # noqa: S101  (a difference is of two)
        return http.RuleDiffView(
            **_standing(*found),
            old=_ref(reader, comparison.old),
            new=_ref(reader, comparison.new),
            result=http.RuleDiff.model_validate(_in(comparison.result, spoken))
            if comparison.result
            else None,
        )


def _impact(platform: Platform, who: Identity, comparison_id: UUID, spoken: Language) -> http.RuleImpactView:
    with reading(platform.engine) as reader:
        found = comparisons.find(reader, "rule_impact", who.account_id, comparison_id)
        return http.RuleImpactView(
            **_standing(*found),
            candidate=_ref(reader, found[0].new),
            sums=[_sums(each, spoken) for each in comparisons.sums(reader, found[0])],
        )


def _sums(found: Sums, spoken: Language) -> http.ImpactSums:
    return http.ImpactSums(
        group=found.group,
        judged=found.judged,
        accepted_to_refused=found.worse,
        refused_to_accepted=found.better,
        other_remarks=found.other,
        sentence=views.spoken(found.sentence, spoken),
    )


def _in(value: Any, spoken: Language) -> Any:
    """A kept result with its texts in one language."""
    if isinstance(value, dict):
        if value.keys() == {"zh", "en"}:
            return value[spoken]
        return {key: _in(item, spoken) for key, item in value.items()}
    return [_in(item, spoken) for item in value] if isinstance(value, list) else value


def _standing(comparison: RuleComparison, operation: Operation) -> dict[str, Any]:
    refused = (operation.outcome or {}).get("refused")
    state = "RUNNING" if operation.outcome is None else "REJECTED" if refused else "SUCCEEDED"
    return {
        "id": comparison.id,
        "state": state,
        "progress": http.ComparisonProgress(done=comparison.done, total=comparison.total),
        "asked_at": operation.asked_at,
        "finished_at": operation.finished_at,
        "refused": refused,
    }


def _ref(reader: Reader, digest: str) -> ReleaseRef:
    return ReleaseRef(version=reader.get_one(RulebookRelease, digest).version, digest=digest)


def _ask_again(view: http.ComparisonView, response: Response) -> None:
    if view.state == "RUNNING":
        response.headers["Retry-After"] = str(RETRY_AFTER)
