"""May this backup be used in a prior report? Asked by the HGR service system, answered with a signature."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ValidationError

from api import problems, views
from api.auth import Identity, IdentityDep
from api.bodies import StrictRoute
from api.language import LanguageDep
from api.platform import Platform, PlatformDep
from api.problems import Problem
from rules.engine.eligibility import Quota
from rules.engine.sentences import cited
from rules.engine.signing import canonical
from schemas.errors import Refusal
from schemas.http import backups
from schemas.http import eligibility as http
from schemas.texts import Language
from store.database import reading
from store.eligibility import Answer, Question, require_answerable

router = APIRouter(tags=["prior report"], route_class=StrictRoute)

SCOPE = "eligibility"
SIGNED = "eligibility+jws"
"""``typ`` of a signed answer."""


async def service(who: IdentityDep) -> Identity:
    """Dependency: a system that may ask about backups (client credentials with the scope ``eligibility``).

    Raises:
        Refusal: ``not_allowed``.
    """
    if SCOPE not in who.scopes:
        raise Refusal("not_allowed")
    return who


Service = Annotated[Identity, Depends(service)]


class BatchItem(BaseModel):
    """The answer to one question of a batch, or why there is none."""

    answer: http.EligibilityView | None = None
    problem: Problem | None = None


class BatchView(BaseModel):
    """Answers in the order of the questions."""

    answers: list[BatchItem]


@router.post(
    "/v1/eligibility-checks", operation_id="checkEligibility", summary="可否用于事先报告 / May it be used?"
)
def check_eligibility(
    body: http.NewEligibilityCheck, who: Service, platform: PlatformDep, spoken: LanguageDep
) -> http.EligibilityView:
    """Answer by what was so at the instant, and by the release in force then. It takes no Idempotency-Key.

    An unknown number is an answer as well: nobody had numbered a backup so by then.
    """
    _require_keys(platform)
    now = datetime.now(UTC)
    question = _question(body, now)
    _count(platform, who, 1, now)
    with reading(platform.engine) as reader:
        answer = platform.eligibility.answer(reader, question)
    return _signed(platform, question, answer, now, spoken)


@router.post(
    "/v1/eligibility-checks/batches",
    operation_id="checkEligibilityOfMany",
    summary="批量查询 / Ask about many",
)
def check_many(
    body: http.NewEligibilityBatch,
    request: Request,
    who: Service,
    platform: PlatformDep,
    spoken: LanguageDep,
) -> BatchView:
    """Answer up to 500 questions; each item has its answer or its problem."""
    _require_keys(platform)
    now = datetime.now(UTC)
    _count(platform, who, len(body.checks), now)
    asked = [_question_or_problem(request, item, now) for item in body.checks]
    questions = [question for question in asked if isinstance(question, Question)]
    with reading(platform.engine) as reader:
        answers = iter(platform.eligibility.answers(reader, questions))

    def item(question: Question | Problem) -> BatchItem:
        if isinstance(question, Problem):
            return BatchItem(problem=question)
        answer = next(answers)
        if isinstance(answer, Refusal):
            return BatchItem(problem=problems.described(request, answer))
        return BatchItem(answer=_signed(platform, question, answer, now, spoken))

    return BatchView(answers=[item(question) for question in asked])


@router.get(
    "/.well-known/jwks.json", operation_id="listPublicKeys", summary="验签公钥 / Keys that verify answers"
)
def list_public_keys(platform: PlatformDep) -> http.PublicKeySet:
    """The public keys of this platform (RFC 7517). The first signs now, others did before."""
    keys = [http.PublicKeyView.model_validate(key) for key in platform.answer_keys.published()]
    return http.PublicKeySet(keys=keys)


def _question(body: http.NewEligibilityCheck, now: datetime) -> Question:
    question = Question(body.account, body.backup_number, (body.as_of or now).astimezone(UTC))
    require_answerable(question, now)
    return question


def _question_or_problem(request: Request, item: dict[str, Any], now: datetime) -> Question | Problem:
    try:
        return _question(http.NewEligibilityCheck.model_validate(item), now)
    except ValidationError as error:
        return problems.invalid(request, error.errors(include_input=False))
    except Refusal as refusal:
        return problems.described(request, refusal)


def _require_keys(platform: Platform) -> None:
    if not platform.answer_keys:
        raise Refusal("no_answer_key")


def _count(platform: Platform, who: Identity, questions: int, now: datetime) -> None:
    def quota() -> Quota:
        with reading(platform.engine) as reader:
            return platform.eligibility.quota(reader, now)

    platform.quotas.take(who.account_id, questions, quota, now)


def _signed(
    platform: Platform, question: Question, answer: Answer, now: datetime, spoken: Language
) -> http.EligibilityView:
    statement = http.EligibilityStatement(
        account=question.account_id,
        backup_number=question.number,
        eligible=answer.decision.eligible,
        reasons=_reasons(answer, spoken),
        as_of=question.as_of,
        answered_at=now,
        release=views.release_ref(answer.release),
        input_digest=answer.input_digest,
    )
    said = statement.model_dump(mode="json")
    jws = platform.answer_keys.sign(canonical(said), SIGNED)
    return http.EligibilityView.model_construct(**dict(statement), jws=jws)


def _reasons(answer: Answer, spoken: Language) -> Sequence[http.ReasonView]:
    return [
        http.ReasonView(
            rule_id=reason.rule_id,
            severity=reason.rule.severity,
            text=reason.rule.message.zh if spoken == "zh" else reason.rule.message.en,
            basis=[
                backups.Citation(instrument=citation.title, article=citation.article)
                for citation in cited(answer.release, reason.rule.basis, spoken)
            ],
        )
        for reason in answer.decision.reasons
    ]
