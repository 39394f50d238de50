"""Finds rules that cannot both hold, and rules that can never speak, by asking the finite domain."""

from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import jsonschema_rs

from rules.engine.domain import Domain, Place, apply, leaves, rule_leaves
from rules.engine.faults import Fault
from rules.engine.forms import without_annotations
from rules.engine.judge import Judge
from rules.engine.load import read_checked, rule_files
from rules.engine.release import Release
from rules.engine.rule import Rule, Schema
from rules.engine.source import Source
from schemas.texts import Text

Holds = Callable[[Any], bool]

_MOST = 20_000
"""Pairs of rules that would need more records than this are not compared."""


def check_contradictions(folder: Path, release: Release) -> list[Fault]:
    """Requirements that can never speak, and pairs that contradict each other.

    Args:
        folder: The folder of the rule files.
        release: What they were loaded into.
    """
    written = _requirements(folder)
    judge = Judge(release)
    faults: list[Fault] = []
    for subject in sorted(release.subjects):
        domain = Domain([release], subject)
        base = domain.base(judge)
        form = release.subject_form(subject)
        rules = [rule for rule in release.subject_rules(subject) if not rule.unique]
        mine = [rule for rule in rules if rule.id in written]
        spoken: set[str] = set()
        for probe in (*domain.questions(), *domain.cells()):
            remarks = {finding.rule for finding in judge.judge(subject, apply(base, probe.changes))}
            if remarks <= {rule.id for rule in rules}:  # else the form refuses the record anyway
                spoken |= remarks
        faults += [_never(*written[rule.id]) for rule in mine if rule.id not in spoken]
        for first, second in combinations(rules, 2):
            fits = _form_of(form, [first, second])
            later = second if second.id in written else first
            if later.id in written and _contradict(domain, fits, first, second):
                other = first if later is second else second
                faults.append(_both(*written[later.id], other))
    return faults


def _requirements(folder: Path) -> dict[str, tuple[Source, int]]:
    """Where each requirement is written."""
    found: dict[str, tuple[Source, int]] = {}
    for path in rule_files(folder):
        if path.parent.name == "requirements":
            source = read_checked(folder, path)
            found |= {rule["id"]: (source, i) for i, rule in enumerate(source.data["rules"])}
    return found


def _form_of(form: Mapping[str, Any], rules: list[Rule]) -> Holds:
    """What the form alone demands of the fields that some rules are about."""
    names = {place[0] for rule in rules for place, _ in rule_leaves(rule)}
    fields = {name: field for name, field in form.get("properties", {}).items() if name in names}
    demanded = [name for name in form.get("required", []) if name in names]
    return _valid(without_annotations({"properties": fields, "required": demanded}))


def _contradict(domain: Domain, fits: Holds, first: Rule, second: Rule) -> bool:
    """Whether somewhere both conditions hold, each demand can be met, but never both together."""
    demands = [{place for place, _ in leaves(rule.require)} for rule in (first, second)]
    if first.order or second.order or not demands[0] & demands[1]:
        return False
    asked = {place for rule in (first, second) for place, _ in leaves(rule.when)}
    free = (demands[0] | demands[1]) - asked
    size = 1
    for place in asked | free:
        size *= len(domain.candidates.get(place, [])) + 1
    if not free or size > _MOST:
        return False
    when = [_valid(rule.when) for rule in (first, second)]
    require = [_valid(rule.require) for rule in (first, second)]
    for situation in domain.assignments(asked):
        record = apply({}, situation)
        if when[0](record) and when[1](record) and _impossible(domain, record, free, [fits, *require]):
            return True
    return False


def _impossible(domain: Domain, record: Mapping[str, Any], free: set[Place], demands: list[Holds]) -> bool:
    fits, *require = demands
    possible = [False, False]
    for changes in domain.assignments(free):
        tried = apply(record, changes)
        met = [fits(tried) and holds(tried) for holds in require]
        if all(met):
            return False
        possible = [known or now for known, now in zip(possible, met, strict=True)]
    return all(possible)


def _valid(schema: Schema) -> Holds:
    return jsonschema_rs.Draft202012Validator(schema).is_valid


def _never(source: Source, index: int) -> Fault:
    id_ = source.data["rules"][index]["id"]
    return source.fault(
        ("rules", index, "id"),
        Text(f"规则“{id_}”永远不会作出提示。", f"The rule “{id_}” can never speak."),
        Text(
            "试遍了各字段的可选值和边界值，没有一条记录违反它：条件从不成立，或要求总是满足。",
            "No choice and no boundary value breaks it: its condition never holds or its demand always does.",
        ),
        Text("请改正 when 或 require，或删去这条规则。", "Correct when or require, or delete the rule."),
    )


def _both(source: Source, index: int, other: Rule) -> Fault:
    id_ = source.data["rules"][index]["id"]
    return source.fault(
        ("rules", index, "id"),
        Text(
            f"规则“{id_}”与“{other.id}”不能同时满足。",
            f"The rules “{id_}” and “{other.id}” cannot both hold.",
        ),
        Text(
            "有的记录两条规则都适用，各自能满足，却没有一个值同时满足两条。",
            "Some records fall under both; each can be met alone, but no value meets both.",
        ),
        Text(
            "请把其中一条的 when 写窄，或改正 require。",
            "Narrow the when of one of them, or correct its require.",
        ),
    )
