"""Runs the cases beside ``prior-report.yaml``: what holds, and what is decided."""

from collections.abc import Iterator, Sequence

from rules.engine.eligibility import Facts, decide
from rules.engine.faults import CaseFailure
from rules.engine.release import Release
from rules.engine.source import Source
from schemas.texts import Text


def run_eligibility(source: Source, release: Release) -> Iterator[CaseFailure]:
    """Every case that comes out otherwise than written, and every rule that no case tries.

    Args:
        source: A checked ``prior-report.cases.yaml``.
        release: Its rules.
    """
    procedure = release.procedure("prior-report")
    tried: set[str] = set()
    for case in source.data["cases"]:
        unknown = set(case["fails"]) - set(Facts._fields)
        if unknown:
            names = "、".join(sorted(unknown))
            yield _failure(source, case["name"], Text(f"不认识“{names}”。", f"“{names}” is unknown."))
            continue
        decision = decide(procedure, Facts(*(name not in case["fails"] for name in Facts._fields)))
        came = [reason.rule_id for reason in decision.reasons]
        tried.update(came)
        if (came, decision.eligible) != (case["reasons"], case["eligible"]):
            yield _failure(source, case["name"], _otherwise(came, decision.eligible))
    for fact in sorted(procedure.rules):
        if f"prior-report.{fact}" not in tried:
            yield _failure(source, f"prior-report.{fact}", Text("没有用例拒绝它。", "No case refuses it."))


def _otherwise(came: Sequence[str], eligible: bool) -> Text:
    told = ", ".join(came) or "—"
    return Text(
        f"实得“{'可用' if eligible else '不可用'}”，理由 {told}。",
        f"It came out {'eligible' if eligible else 'not eligible'}, with {told}.",
    )


def _failure(source: Source, name: str, what: Text) -> CaseFailure:
    return CaseFailure(source.file, name, what)
