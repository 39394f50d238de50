import itertools
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rulebook_records import ACCESSIONS, ALLOWED, ROW, cell_records, records

from rules.engine.forms import NO_CONTROL, refuses_control
from rules.engine.gate import gate_schema
from rules.engine.judge import Judge, verdict
from rules.engine.release import Release
from rules.engine.rule import schema_of
from rules.engine.sentences import basis, sentence
from schemas.findings import Finding


def test_of_all_cells_exactly_the_22_of_the_notice_are_accepted(judge: Judge) -> None:
    accepted = {cell for cell, record in cell_records() if not judge.judge("data-file", record)}
    assert accepted == ALLOWED


def test_on_every_cell_gate_authored_schema_and_an_independent_validator_agree(release: Release) -> None:
    form, rules = release.subject_form("data-file"), release.schema_rules("data-file")
    gate = jsonschema_rs.Draft202012Validator(gate_schema(form, rules), validate_formats=True)
    authored = jsonschema_rs.Draft202012Validator(schema_of(form, rules), validate_formats=True)
    independent = jsonschema.Draft202012Validator(release.json_schema("data-file"))
    for cell, record in cell_records():
        verdicts = gate.is_valid(record), authored.is_valid(record), independent.is_valid(record)
        assert len(set(verdicts)) == 1, cell


def test_on_every_format_and_suffix_gate_and_authored_schema_agree(release: Release) -> None:
    form, rules = release.subject_form("data-file"), release.schema_rules("data-file")
    gate = jsonschema_rs.Draft202012Validator(gate_schema(form, rules), validate_formats=True)
    authored = jsonschema_rs.Draft202012Validator(schema_of(form, rules), validate_formats=True)
    suffixes = {
        suffix
        for repository in release.repositories.values()
        for formats in repository.formats.values()
        for several in formats.values()
        for suffix in several
    }
    accepted = 0
    for category, data_type, kind, repository in ALLOWED:
        row = {
            "category": category,
            "data_type": data_type,
            "repository": repository,
            "accession": ACCESSIONS[repository],
        }
        row |= {"md5": ROW["md5"]} | ({"biomarker_kind": kind} if kind else {})
        for file_format, suffix in itertools.product(
            [None, *form["properties"]["file_format"]["enum"]], sorted(suffixes)
        ):
            record = (
                row
                | {"file_name": f"a{suffix.upper()}"}
                | ({"file_format": file_format} if file_format else {})
            )
            assert gate.is_valid(record) == authored.is_valid(record), record
            accepted += gate.is_valid(record)
    assert accepted > 22


def test_a_wrong_repository_is_told_once_and_in_the_words_of_the_notice(
    release: Release, judge: Judge
) -> None:
    (finding,) = judge.judge("data-file", ROW | {"repository": "omix"})
    assert finding == Finding("wgs.raw.repository", "error", "/repository")
    assert sentence(release, finding, "zh").startswith("全基因组原始测序数据应递交至 GSA-Human")
    assert "GSA-Human" in sentence(release, finding, "en")
    assert [(cited.title, cited.article) for cited in basis(release, finding, "zh")][:1] == [
        ("《人类遗传资源信息管理备份平台使用须知》", "第4节")
    ]


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        (
            {"category": "clinical", "data_type": "x", "repository": "x"},
            {"out-of-scope.clinical", "data-file.data_type.enum", "data-file.repository.enum"},
        ),
        (
            {"category": "wes", "data_type": "assembly", "repository": "omix", "accession": "?"},
            {"wes.data-type"},
        ),
        ({"repository": "omix", "accession": "?", "file_name": "a.exe"}, {"wgs.raw.repository"}),
        ({"accession": "?", "file_name": "a.exe"}, {"gsa-human.accession", "gsa-human.raw.format"}),
    ],
)
def test_questions_are_asked_in_order_and_no_finding_follows_from_another(
    judge: Judge, changes: dict[str, str], rules: set[str]
) -> None:
    assert {finding.rule for finding in judge.judge("data-file", ROW | changes)} == rules


@pytest.mark.parametrize("subject", ["data-file", "project", "backup-information"])
def test_judge_gate_and_published_schema_agree_with_an_independent_validator(
    release: Release, judge: Judge, subject: str
) -> None:
    form, rules = release.subject_form(subject), release.schema_rules(subject)
    gate = jsonschema_rs.Draft202012Validator(gate_schema(form, rules), validate_formats=True)
    authored = jsonschema_rs.Draft202012Validator(schema_of(form, rules), validate_formats=True)
    published = release.json_schema(subject)
    jsonschema.Draft202012Validator.check_schema(published)
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    independent = jsonschema.Draft202012Validator(published, format_checker=checker)
    beyond = {rule.id for rule in release.subject_rules(subject) if rule.order}

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(records(release, subject))
    def agree(record: dict[str, Any]) -> None:
        findings = [finding for finding in judge.judge(subject, record) if finding.rule not in beyond]
        assert gate.is_valid(record) == authored.is_valid(record) == (not findings)
        assert independent.is_valid(record) == (verdict(findings) == "accepted")
        assert {finding.rule for finding in findings} <= release.rules.keys()

    agree()


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_no_finding_and_no_sentence_repeats_what_a_person_wrote(
    release: Release, judge: Judge, data: st.DataObject
) -> None:
    canary = "13900139000王小明"
    subject = data.draw(st.sampled_from(["project", "backup-information", "data-file"]))
    names = list(release.form(subject)["properties"])
    values = st.sampled_from([canary, [canary], {canary: canary}, [{canary: canary, "name": canary + "\n"}]])
    record = data.draw(st.dictionaries(st.sampled_from([*names, canary]), values, min_size=1))
    findings = judge.judge(subject, record)
    assert findings
    for finding in findings:
        told = str(finding) + sentence(release, finding, "zh") + sentence(release, finding, "en")
        assert canary not in told
        assert "139001" not in told


@given(st.permutations(list((ROW | {"repository": "omix", "md5": "?", "size_bytes": -1}).items())))
def test_the_order_of_keys_changes_nothing(judge: Judge, items: list[tuple[str, Any]]) -> None:
    expected = {"wgs.raw.repository", "data-file.md5.pattern", "data-file.size_bytes.minimum"}
    findings = judge.judge("data-file", dict(items))
    assert {finding.rule for finding in findings} == expected
    assert findings == judge.judge("data-file", dict(sorted(items)))


def test_rows_are_judged_as_they_come_with_line_and_column(judge: Judge) -> None:
    endless = ((line, ROW | ({"md5": "?"} if line % 2 else {})) for line in itertools.count(2))
    judged = judge.judge_rows("data-file", endless, {"md5": "MD5校验值"})
    (line, record, fine), (_, _, wrong) = next(judged), next(judged)
    assert (line, record, fine, verdict(fine)) == (2, ROW, [], "accepted")
    assert wrong == [Finding("data-file.md5.pattern", "error", "/md5", 3, "MD5校验值")]
    assert verdict(wrong) == "refused"


def test_advice_and_warnings_do_not_refuse(judge: Judge) -> None:
    assert verdict([Finding("a", "advice", ""), Finding("b", "warning", "")]) == "accepted"
    assert verdict([Finding("a", "advice", ""), Finding("b", "error", "")]) == "refused"


def test_an_unknown_subject_is_refused(release: Release, judge: Judge) -> None:
    with pytest.raises(KeyError):
        judge.judge("projects", {})
    with pytest.raises(KeyError):
        release.json_schema("projects")


@pytest.mark.parametrize(
    ("pattern", "refuses"),
    [
        ("^[^/]+$", False),
        ("^a.b$", False),
        ("^[^\\u0000-\\u001f/]+$", True),
        ("^[^\\u0000-\\u001f]+\\n$", False),
        ("^HRA[0-9]{6,}$", True),
        ("^HRA[0-9]+|OMIX[0-9]+$", False),
        ("^(HRA|OMIX)[0-9]+$", True),
        ("^[\\u0000-z]+$", False),
        ("[a-z]+$", False),
    ],
)
def test_the_gate_keeps_the_guard_against_control_characters_where_the_pattern_needs_it(
    pattern: str, refuses: bool
) -> None:
    form = {
        "type": "object",
        "required": [],
        "properties": {"code": {"type": "string", "pattern": pattern, "not": NO_CONTROL}},
    }
    assert refuses_control(pattern) == refuses
    gate = jsonschema_rs.Draft202012Validator(gate_schema(form, []))
    for code in ("HRA1", "OMIX1", "a b", "ab", "HRA1\n", "a\tb", "a\u0001b", "HRA1\tx", "x\nOMIX1", "ab\n"):
        assert gate.is_valid({"code": code}) == jsonschema_rs.is_valid(form, {"code": code}), code
