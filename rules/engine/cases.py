"""Runs the cases beside the rules: what was expected, what came, and which rule no case tries."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema_rs

from rules.engine.delegation_cases import run_delegation
from rules.engine.dialect import kind_of, nearest
from rules.engine.eligibility_cases import run_eligibility
from rules.engine.faults import CaseFailure, RulebookError
from rules.engine.judge import Judge
from rules.engine.load import read_checked, rule_files
from rules.engine.matching_cases import run_matching
from rules.engine.release import Release
from rules.engine.rule import Rule
from rules.engine.source import Source
from rules.engine.thresholds import untried_thresholds
from schemas.texts import Text

_RECORDS = "cases"
_PROCEDURES: Mapping[str, Callable[[Source, Release], Iterator[CaseFailure]]] = {
    "delegation-cases": run_delegation,
    "matching-cases": run_matching,
    "prior-report-cases": run_eligibility,
}


class Case(NamedTuple):
    """A record (用例) and the rules that must remark on it, and no others."""

    file: str
    name: str
    subject: str
    record: dict[str, Any]
    findings: frozenset[str]


def run_cases(folder: Path, release: Release) -> list[CaseFailure]:
    """Judges every case of a folder.

    Args:
        folder: The folder of the rule files.
        release: What they were loaded into.

    Returns:
        Cases that come out otherwise than written, and rules that no case accepts or no case refuses.

    Raises:
        RulebookError: A cases file is malformed.
    """
    cases = list(read_cases(folder))
    judge = Judge(release)
    failures = [failure for case in cases for failure in _run(judge, case)]
    failures += [
        failure
        for kind, run in _PROCEDURES.items()
        for source in _sources(folder, kind)
        for failure in run(source, release)
    ]
    return failures or [*_untried(release, judge, cases), *_untried_thresholds(release, cases)]


def read_cases(folder: Path) -> Iterator[Case]:
    """Every case of a folder.

    Raises:
        RulebookError: With the faults of all malformed cases files.
    """
    for source in _sources(folder, _RECORDS):
        for case in source.data["cases"]:
            record = _merged(source.data["base"], case.get("with", {}))
            yield Case(source.file, case["name"], source.data["subject"], record, frozenset(case["findings"]))


def read_untested(folder: Path) -> dict[str, Text]:
    """The small changes of rules that need no case, by their names, with the reason.

    Raises:
        RulebookError: With the faults of all malformed cases files.
    """
    return {
        name: Text(**reason)
        for source in _sources(folder, _RECORDS)
        for name, reason in source.data.get("untested", {}).items()
    }


def _sources(folder: Path, kind: str) -> Iterator[Source]:
    faults = []
    for path in rule_files(folder, cases=True):
        if kind_of(path.relative_to(folder).as_posix()) != kind:
            continue
        try:
            yield read_checked(folder, path)
        except RulebookError as error:
            faults += error.faults
    if faults:
        raise RulebookError(faults)


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """JSON Merge Patch (RFC 7396), except that an explicit null inside ``steps`` stays null."""
    merged = dict(base)
    for key, value in changes.items():
        if value is None and key in base:
            del merged[key]
        elif isinstance(value, dict) and isinstance(base.get(key), dict):
            merged[key] = {**base[key], **value}
        else:
            merged[key] = value
    return merged


def _run(judge: Judge, case: Case) -> Iterator[CaseFailure]:
    unknown = sorted(case.findings - judge.release.rules.keys())
    if unknown or case.subject not in judge.release.subjects:
        word, words = (
            (unknown[0], list(judge.release.rules))
            if unknown
            else (case.subject, list(judge.release.subjects))
        )
        advice = nearest(word, words)
        yield CaseFailure(
            case.file, case.name, Text(f"不认识“{word}”。{advice.zh}", f"“{word}” is unknown. {advice.en}")
        )
        return
    came = frozenset(finding.rule for finding in judge.judge(case.subject, case.record))
    if came != case.findings:
        expected, actual = (", ".join(sorted(ids)) or "—" for ids in (case.findings, came))
        yield CaseFailure(
            case.file,
            case.name,
            Text(f"应得 {expected}，实得 {actual}。", f"Expected {expected}, but came {actual}."),
        )


def _untried(release: Release, judge: Judge, cases: list[Case]) -> Iterator[CaseFailure]:
    """A rule counts as tried if one case breaks it, and another meets its condition and satisfies it."""
    by_subject: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_subject[case.subject].append(case)
    for subject in sorted(release.subjects):
        for rule in release.subject_rules(subject):
            if rule.unique:
                continue
            refused = [case for case in by_subject[subject] if rule.id in case.findings]
            applies = jsonschema_rs.Draft202012Validator(rule.when).is_valid
            accepted = [
                case for case in by_subject[subject] if rule.id not in case.findings and applies(case.record)
            ]
            yield from _lacks(rule, "refuses" if not refused else "accepts" if not accepted else "")


def _untried_thresholds(release: Release, cases: list[Case]) -> Iterator[CaseFailure]:
    for subject in sorted(release.subjects):
        records = [case.record for case in cases if case.subject == subject]
        yield from untried_thresholds(release, subject, records)


def _lacks(rule: Rule, what: str) -> Iterator[CaseFailure]:
    if what:
        zh = "拒绝" if what == "refuses" else "接受"
        yield CaseFailure("", rule.id, Text(f"没有用例{zh}它。", f"No case {what} it."))
