import copy
import json
import random
from typing import Any

import jsonschema_rs
import pytest
from rulebook_records import ROW, cell_records

from rules.engine import judge as judge_module
from rules.engine.gate import gate_schema, narrowed
from rules.engine.judge import Judge, validator
from rules.engine.proof import matrix_records
from rules.engine.release import Release
from rules.engine.rule import schema_of
from rules.engine.table import DecisionTable


def grown(release: Release, times: int) -> Release:
    """The same rules with so many times the categories."""
    documents = json.loads(release.canonical())
    for path in [f"categories/{id_}" for id_ in release.categories]:
        for number in range(1, times):
            documents[f"{path}-{number}"] = copy.deepcopy(documents[path])
            documents[f"{path}-{number}"]["also"] = []
    return Release(documents)


def depth(schema: Any) -> int:
    inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    return 1 + max(map(depth, inner), default=0)


def test_the_published_schema_has_one_if_then_for_each_rule_with_its_id(release: Release) -> None:
    for subject in release.subjects:
        errors = [rule.id for rule in release.schema_rules(subject) if rule.severity == "error"]
        branches = release.json_schema(subject).get("allOf", [])
        assert [branch["$comment"] for branch in branches] == errors
        assert all(branch.keys() == {"$comment", "if", "then"} for branch in branches)


def test_on_every_cell_rules_gate_and_decision_table_say_the_same(release: Release, judge: Judge) -> None:
    form, rules = release.subject_form("data-file"), release.schema_rules("data-file")
    authored = jsonschema_rs.Draft202012Validator(schema_of(form, rules), validate_formats=True)
    gate = jsonschema_rs.Draft202012Validator(gate_schema(form, rules), validate_formats=True)
    records = [*(record for _, record in cell_records()), *matrix_records(release, "data-file")]
    table = DecisionTable(judge, "data-file")
    frame, odd = table.frame(enumerate(records))
    refused = {*table.judge(frame)["line"]}
    assert odd == []
    for line, record in enumerate(records):
        verdicts = authored.is_valid(record), gate.is_valid(record), line not in refused
        assert len({*verdicts}) == 1, record


@pytest.mark.parametrize(("times", "combinations"), [(10, 220), (50, 1_100)])
def test_with_many_more_combinations_the_gate_stays_flat_and_says_the_same(
    release: Release, times: int, combinations: int
) -> None:
    many = grown(release, times)
    assert len(many.cells) == combinations
    form, rules = many.subject_form("data-file"), many.schema_rules("data-file")
    schema = gate_schema(form, rules)
    assert depth(schema) < 80
    gate = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    authored = jsonschema_rs.Draft202012Validator(schema_of(form, rules), validate_formats=True)
    records = random.Random(times).sample([*matrix_records(many, "data-file")], 3_000)
    verdicts = [gate.is_valid(record) for record in records]
    assert verdicts == [authored.is_valid(record) for record in records]
    assert {*verdicts} == {True, False}


def test_a_release_whose_gate_says_otherwise_than_its_rules_does_not_judge(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge_module, "gate_schema", lambda _form, _rules: {"required": ["md5"]})
    with pytest.raises(RuntimeError, match="differ"):
        Judge(release)


def test_several_releases_judge_side_by_side(release: Release, judge: Judge) -> None:
    documents = json.loads(release.canonical())
    wgs = documents["categories/wgs"]["data_types"]
    wgs["raw"]["repositories"] = ["omix"]
    other = Judge(Release(documents))
    assert [finding.rule for finding in other.judge("data-file", ROW)] == ["wgs.raw.repository"]
    assert judge.judge("data-file", ROW) == []


def test_where_a_value_silences_rules_those_left_give_the_same_errors_in_the_same_places(
    release: Release,
) -> None:
    form, rules = release.subject_form("data-file"), release.schema_rules("data-file")
    name, schemas = narrowed(form, rules)
    whole = validator(schema_of(form, rules))
    assert name == "category"
    assert {*schemas} == {*form["properties"]["category"]["enum"]}
    left = {value: validator(schema) for value, schema in schemas.items()}
    assert all(schema["allOf"].count(True) > len(rules) // 2 for schema in schemas.values())
    records = [*(record for _, record in cell_records()), *matrix_records(release, "data-file")]
    for record in records:
        if record.get(name) in left:
            errors = [
                [(error.schema_path, error.instance_path) for error in asked.iter_errors(record)]
                for asked in (whole, left[record[name]])
            ]
            assert errors[0] == errors[1], record
