"""What was so of a backup and an account at an instant: the question, the facts, the answer.

Everything is read from histories, none from what is so now: delegations, what was said of the account, when
the number was issued and withdrawn, which version the backup had. So an answer for a past instant stays right
whatever has happened since.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlmodel import Session

from rules.engine.eligibility import Decision, Facts, PriorReportProcedure, Quota, Reviews, decide
from rules.engine.release import Release
from rules.engine.signing import canonical
from schemas.errors import Refusal
from store.releases import Rulebooks

BACKUP_NUMBER = re.compile(r"[^\s\x00-\x1f\x7f-\x9f]{1,64}")
"""What a backup number can be: whatever the old platform gave out, but no blanks."""


class Question(NamedTuple):
    """May this account use this backup number in a prior report, as of a time?"""

    account_id: UUID
    number: str
    as_of: datetime


def require_answerable(question: Question, now: datetime, time: str = "/as_of") -> None:
    """Refuse what cannot be asked.

    Args:
        question: What is asked.
        now: The present.
        time: JSON pointer of the instant in the request.

    Raises:
        Refusal: ``number_malformed`` or ``time_in_future``, with the place of the field.
    """
    if not BACKUP_NUMBER.fullmatch(question.number):
        raise Refusal("number_malformed", pointer="/backup_number")
    if question.as_of > now:
        raise Refusal("time_in_future", pointer=time)


class Answer(NamedTuple):
    """What was decided, by which release, on which facts.

    Attributes:
        backup_id: None where no backup has the number.
        input_digest: SHA-256 of question and facts, hex: equal where nothing that counts differs.
    """

    backup_id: UUID | None
    decision: Decision
    release: Release
    input_digest: str


class _Rules(NamedTuple):
    """What one release says of prior reports, compiled.

    Attributes:
        forms: Form of each step that a rule on security reviews looks at.
    """

    release: Release
    procedure: PriorReportProcedure
    reviews: Reviews
    forms: dict[str, str]


class Eligibility:
    """Answers by the release in force at the instant that is asked about."""

    def __init__(self, rulebooks: Rulebooks) -> None:
        self._rulebooks = rulebooks
        self._compiled: dict[str, _Rules] = {}

    def answer(self, session: Session, question: Question) -> Answer:
        """Answer one question.

        Raises:
            Refusal: ``before_the_rules``, when no rules on prior reports were in force at the time.
        """
        answer = self.answers(session, [question])[0]
        if isinstance(answer, Refusal):
            raise answer
        return answer

    def answers(self, session: Session, questions: Sequence[Question]) -> list[Answer | Refusal]:
        """Answer many, with one look at the histories; in the place of an answer may be its refusal."""
        rules = {at: self._rules(session, at) for at in {question.as_of for question in questions}}
        steps = {step for each in rules.values() if isinstance(each, _Rules) for step in each.forms}
        rows = _look_up(session, questions, sorted(steps))
        return [
            _answer(question, judging, row)
            if isinstance(judging := rules[question.as_of], _Rules)
            else judging
            for question, row in zip(questions, rows, strict=True)
        ]

    def quota(self, session: Session, at: datetime) -> Quota:
        """How much one system may ask.

        Raises:
            Refusal: ``before_the_rules``.
        """
        rules = self._rules(session, at)
        if isinstance(rules, Refusal):
            raise rules
        return rules.procedure.quota

    def _rules(self, session: Session, at: datetime) -> _Rules | Refusal:
        try:
            release = self._rulebooks.in_force(session, at).release
            if release.digest not in self._compiled:
                self._compiled[release.digest] = _compile(release)
            return self._compiled[release.digest]
        except (KeyError, Refusal):
            return Refusal("before_the_rules")


def _compile(release: Release) -> _Rules:
    procedure = release.procedure("prior-report")
    subjects = {release.rules[id_].subject for id_ in procedure.review_rules}
    steps = release.procedure("backup-creation").steps
    forms = {step.id: step.form for step in steps if step.form in subjects}
    return _Rules(release, procedure, Reviews(release.rules, procedure.review_rules), forms)


def _look_up(session: Session, questions: Sequence[Question], steps: list[str]) -> Sequence[Row[Any]]:
    """The facts of each question, in their order."""
    if len(questions) == 1:
        return session.connection().execute(_FACTS_OF_ONE, {**questions[0]._asdict(), "steps": steps}).all()
    accounts, numbers, times = zip(*questions, strict=True) if questions else ((), (), ())
    asked = {"accounts": list(accounts), "numbers": list(numbers), "times": list(times), "steps": steps}
    return session.connection().execute(_FACTS_OF_MANY, asked).all()


def _answer(question: Question, rules: _Rules, row: Row[Any]) -> Answer:
    bodies = {rules.forms[step]: body for step, body in (row.bodies or {}).items() if step in rules.forms}
    delegate = row.delegate_id == question.account_id
    facts = Facts(
        numbered=row.backup_id is not None,
        not_withdrawn=not row.withdrawn,
        delegate=delegate,
        real_name_verified=bool(row.real_name_verified),
        unit_authorised=bool(row.unit_authorised),
        unit_of_backup=delegate and row.held_for == row.unit_code,
        security_reviewed=rules.reviews.reviewed(bodies),
    )
    asked = {
        "account": str(question.account_id),
        "number": question.number,
        "as_of": question.as_of.isoformat(),
    }
    digest = hashlib.sha256(canonical({**asked, **facts._asdict()})).hexdigest()
    return Answer(row.backup_id, decide(rules.procedure, facts), rules.release, digest)


_FACTS = """
    SELECT backup.id AS backup_id, delegation.delegate_id, delegation.unit_code AS held_for,
           standing.unit_code, standing.real_name_verified, standing.unit_authorised, saved.bodies,
           EXISTS (
               SELECT FROM amendment
               WHERE backup_id = backup.id AND kind = 'withdrawal' AND done_at <= asked.as_of
           ) AS withdrawn
    FROM {asked}
    LEFT JOIN backup
         ON backup.number = asked.number AND COALESCE(backup.closed_at, backup.created_at) <= asked.as_of
    LEFT JOIN delegation
         ON delegation.backup_id = backup.id AND delegation.since <= asked.as_of
        AND (delegation.until IS NULL OR delegation.until > asked.as_of)
    LEFT JOIN LATERAL (
        SELECT unit_code, real_name_verified, unit_authorised FROM account_standing
        WHERE account_id = asked.account_id AND valid_from <= asked.as_of
        ORDER BY valid_from DESC, recorded_at DESC LIMIT 1
    ) AS standing ON true
    LEFT JOIN LATERAL (
        SELECT draft_id FROM amendment
        WHERE backup_id = backup.id AND kind = 'correction' AND done_at > asked.as_of
        ORDER BY done_at LIMIT 1
    ) AS former ON true
    LEFT JOIN LATERAL (
        SELECT jsonb_object_agg(step.step, form_content.body) AS bodies
        FROM backup_step AS step JOIN form_content ON form_content.id = step.content_id
        WHERE step.backup_id = COALESCE(former.draft_id, backup.id) AND step.step = ANY(:steps)
    ) AS saved ON true
    ORDER BY asked.place
"""
_MANY = """
    unnest(CAST(:accounts AS uuid[]), CAST(:numbers AS varchar[]), CAST(:times AS timestamptz[]))
    WITH ORDINALITY AS asked (account_id, number, as_of, place)
"""
_ONE = """
    (SELECT CAST(:account_id AS uuid), CAST(:number AS varchar), CAST(:as_of AS timestamptz), 1)
    AS asked (account_id, number, as_of, place)
"""
_FACTS_OF_MANY = text(_FACTS.replace("{asked}", _MANY))
_FACTS_OF_ONE = text(_FACTS.replace("{asked}", _ONE))
"""The same for one question: PostgreSQL plans it once, not each time anew as it does for lists."""
