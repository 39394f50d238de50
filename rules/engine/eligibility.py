"""May this backup be used in a prior report (可用性)? A pure decision on what was so at one instant."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

import jsonschema_rs

from rules.engine.model import Basis, Part
from rules.engine.rule import Rule
from schemas.findings import Severity
from schemas.texts import Text

Fact = Literal[
    "numbered",
    "not_withdrawn",
    "delegate",
    "real_name_verified",
    "unit_authorised",
    "unit_of_backup",
    "security_reviewed",
]
NEEDS: dict[Fact, tuple[Fact, ...]] = {
    "delegate": ("numbered",),
    "unit_of_backup": ("numbered", "delegate", "unit_authorised"),
}
"""What must hold for another thing to be worth telling: what nobody numbered has no delegate."""


class Facts(NamedTuple):
    """What was so at the instant that is asked about.

    Attributes:
        numbered: The backup had its number.
        not_withdrawn: It had not been withdrawn.
        delegate: The account was its delegate (委托人).
        real_name_verified: The account had passed the real-name check.
        unit_authorised: A unit authorised the account.
        unit_of_backup: That unit was the one the backup was held for.
        security_reviewed: No rule says that a security review is missing.
    """

    numbered: bool
    not_withdrawn: bool
    delegate: bool
    real_name_verified: bool
    unit_authorised: bool
    unit_of_backup: bool
    security_reviewed: bool


class EligibilityRule(Part):
    """What is said when a fact does not hold, and whether the backup may then not be used (``error``)."""

    severity: Severity
    message: Text
    basis: tuple[Basis, ...]


class Quota(Part):
    """How much one system may ask within a period."""

    most: int
    within: dt.timedelta


class PriorReportProcedure(Part):
    """Content of ``procedures/prior-report.yaml``.

    Attributes:
        review_rules: Rules whose remark on a backup means that a security review is missing.
    """

    title: Text
    in_force_from: dt.date
    basis: tuple[Basis, ...]
    rules: dict[Fact, EligibilityRule]
    review_rules: tuple[str, ...]
    quota: Quota
    decision: Text | None = None


class Reason(NamedTuple):
    """One rule that does not hold.

    Attributes:
        rule_id: ``prior-report.`` and the name of the fact.
        rule: What it says.
    """

    rule_id: str
    rule: EligibilityRule


class Decision(NamedTuple):
    """Whether the backup may be used, and all that stands against it or is to be pointed out."""

    eligible: bool
    reasons: tuple[Reason, ...]


def decide(procedure: PriorReportProcedure, facts: Facts) -> Decision:
    """Judge the facts; reasons come in the order of `Facts`."""
    failing = {
        fact: procedure.rules[fact]
        for fact in get_args(Fact)
        if fact in procedure.rules and not getattr(facts, fact)
    }
    eligible = all(rule.severity != "error" for rule in failing.values())
    told = [fact for fact in failing if not any(other in failing for other in NEEDS.get(fact, ()))]
    return Decision(eligible, tuple(Reason(f"prior-report.{fact}", failing[fact]) for fact in told))


class Reviews:
    """The rules that tell whether a security review (安全审查) is missing, compiled to be asked alone."""

    def __init__(self, rules: Mapping[str, Rule], named: tuple[str, ...]) -> None:
        """Compile them.

        Args:
            rules: All rules of a release by id.
            named: Those of `PriorReportProcedure.review_rules`.
        """
        self._rules = [
            (rules[id_].subject, jsonschema_rs.Draft202012Validator(_authored(rules[id_]))) for id_ in named
        ]

    def reviewed(self, forms: Mapping[str, Any]) -> bool:
        """Whether none of them remarks on the forms of a backup, by name; a form that is not there passes."""
        return all(form not in forms or rule.is_valid(forms[form]) for form, rule in self._rules)


def _authored(rule: Rule) -> dict[str, Any]:
    return {"if": rule.when, "then": rule.require}
