import json
import random
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from rules.engine import eligibility, model, procedures
from rules.engine.cases import read_cases, run_cases
from rules.engine.dialect import SCHEMAS, kind_of
from rules.engine.judge import Judge
from rules.engine.load import load_rulebook, rule_files
from rules.engine.release import Release
from rules.engine.submission import submission_record

SEQUENCING = {"raw": "gsa-human", "statistics": "omix"}
BIOMARKERS = {("biomarker", "sequence"): "genbase", ("biomarker", "other"): "omix"}
NOTICE: dict[str, dict[Any, str]] = {
    "wgs": {"raw": "gsa-human", "assembly": "gwh", "variants": "gvm", "statistics": "omix"},
    "array": {"raw": "omix", "variants": "gvm", "statistics": "omix"},
    "wes": {"raw": "gsa-human", "variants": "gvm", "statistics": "omix"},
    "targeted": SEQUENCING | BIOMARKERS,
    "epigenome": SEQUENCING | BIOMARKERS,
    "transcriptome": SEQUENCING | BIOMARKERS,
}
"""Sections 4 and 5 of the notice, typed in by hand."""

CONTACTS = {
    "gsa-human": ("gsa@big.ac.cn", "548170081"),
    "gwh": ("gwh@big.ac.cn", "541196594"),
    "gvm": ("gvm@big.ac.cn", "468638108"),
    "genbase": ("genbase@big.ac.cn", "629388189"),
    "omix": ("gsa@big.ac.cn", "516418530"),
}


def test_every_case_comes_out_as_written_and_every_rule_is_accepted_once_and_refused_once(
    folder: Path, release: Release
) -> None:
    assert run_cases(folder, release) == []


def test_the_matrix_is_that_of_the_notice(release: Release) -> None:
    found: dict[str, dict[Any, str]] = {}
    for cell in release.cells:
        key = (cell.data_type, cell.kind[1]) if cell.kind else cell.data_type
        (found.setdefault(cell.category, {})[key],) = cell.repositories
    assert found == NOTICE
    assert sum(len(category.data_types) for category in release.categories.values()) == 19
    assert list(release.categories) == list(NOTICE)


def test_the_contacts_are_those_of_the_notice(release: Release) -> None:
    assert {
        id_: (entry.contacts.email, entry.contacts.qq_group) for id_, entry in release.repositories.items()
    } == CONTACTS
    assert release.rulebook.platform.hotlines == ("010-84097816", "010-84097340")
    assert release.rulebook.service_system.address == "https://apply.hgrg.net"


def test_a_release_survives_storage_that_forgets_the_order_of_keys(release: Release) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            keys = list(value)
            random.Random(7).shuffle(keys)
            return {key: shuffled(value[key]) for key in keys}
        return [shuffled(item) for item in value] if isinstance(value, list) else value

    stored = json.dumps(shuffled(json.loads(release.canonical())), indent=1).encode()
    again = Release.from_canonical(stored)
    assert again.digest == release.digest
    assert again.canonical() == release.canonical()
    for form in release.forms:
        assert list(again.form(form)["properties"]) == list(release.form(form)["properties"])
        assert again.form(form) == release.form(form)
    assert list(again.rules) == list(release.rules)


def test_a_stored_release_judges_every_case_as_the_files_do(folder: Path, release: Release) -> None:
    first, second = Judge(release), Judge(Release.from_canonical(release.canonical()))
    for case in read_cases(folder):
        assert first.judge(case.subject, case.record) == second.judge(case.subject, case.record)


def test_a_form_handed_out_cannot_change_the_release(release: Release) -> None:
    release.form("project")["properties"].clear()
    assert "title" in release.form("project")["properties"]


def test_fields_that_hold_persons_are_named(release: Release) -> None:
    assert release.personal_fields("project") == {
        "principal_investigator",
        "contact_name",
        "contact_mobile",
        "contact_email",
    }
    assert release.personal_fields("backup-information") == {"recipients"}
    assert release.personal_fields("data-file") == frozenset()


def test_the_procedure_is_typed(release: Release) -> None:
    procedure = release.procedure("backup-creation")
    assert [step.id for step in procedure.steps] == ["project", "backup-information", "data-files"]
    assert procedure.expires_after == timedelta(days=180)
    assert procedure.reminders_before == (timedelta(days=30), timedelta(days=7))
    assert procedure.recheck_deposits_every == timedelta(days=1)
    assert procedure.limits.manifest_rows_max == 1_000_000
    assert procedure.number.number(date(2026, 11, 22), 7) == "BF2026112200007"
    assert procedure.number.number(date(2026, 11, 22), 100_000) == "BF20261122100000"
    with pytest.raises(KeyError):
        procedure.step("nowhere")


def test_what_no_two_rows_may_share_is_declared_for_the_store(release: Release) -> None:
    assert release.uniqueness("data-file") == (
        ("file-name-unique", "file_name", "error"),
        ("md5-unique", "md5", "warning"),
    )


def test_every_rule_speaks_both_languages_and_fills_in_every_word(release: Release) -> None:
    for rule in release.rules.values():
        assert rule.basis, rule.id
        for words in rule.message:
            assert words.strip(), rule.id
            assert "{" not in words, rule.id


@pytest.mark.parametrize(
    ("schema", "pointer", "part"),
    [
        ("rulebook", (), model.Rulebook),
        ("category", (), model.Category),
        ("out-of-scope", (), model.OutOfScope),
        ("repository", (), model.Repository),
        ("repository", ("properties", "run_table"), model.RunTable),
        ("words", ("$defs", "identifier"), model.Identifier),
        ("backup-creation", (), procedures.BackupCreationProcedure),
        ("backup-creation", ("properties", "steps", "items"), procedures.Step),
        ("backup-creation", ("properties", "limits"), procedures.Limits),
        ("backup-creation", ("properties", "number"), procedures.NumberFormat),
        ("prior-report", (), eligibility.PriorReportProcedure),
        ("prior-report", ("$defs", "rule"), eligibility.EligibilityRule),
        ("prior-report", ("properties", "quota"), eligibility.Quota),
        ("claiming", (), procedures.ClaimingProcedure),
        ("claiming", ("properties", "matching"), procedures.Matching),
        ("claiming", ("properties", "matching", "properties", "name"), procedures.NameMatching),
        ("claiming", ("properties", "matching", "properties", "phone"), procedures.PhoneMatching),
        ("claiming", ("properties", "code"), procedures.Code),
        ("claiming", ("properties", "limits", "items"), procedures.Limit),
        ("claiming", ("properties", "daily_budget"), procedures.DailyBudget),
        ("claiming", ("properties", "unit_confirmation"), procedures.UnitConfirmation),
        ("claiming", ("properties", "unit_claims"), procedures.UnitClaims),
        ("delegation", (), procedures.DelegationProcedure),
        ("delegation", ("properties", "acceptance"), procedures.Acceptance),
        ("delegation", ("properties", "approval"), procedures.Approval),
    ],
)
def test_the_schema_an_editor_completes_from_and_the_typed_value_agree(
    schema: str, pointer: tuple[str, ...], part: type[BaseModel]
) -> None:
    described = json.loads((SCHEMAS / f"{schema}.schema.json").read_text("utf-8"))
    for key in pointer:
        described = described[key]
    assert described["properties"].keys() == part.model_fields.keys()
    required = {name for name, field in part.model_fields.items() if field.is_required()}
    assert set(described["required"]) == required


def test_every_word_an_editor_offers_is_described_in_chinese_and_english() -> None:
    documents = {path.name: json.loads(path.read_text("utf-8")) for path in SCHEMAS.glob("*.json")}

    def description(name: str, content: dict[str, Any]) -> str:
        if "description" not in content and "$ref" in content:
            file, _, pointer = content["$ref"].partition("#")
            target = documents[file or name]
            for key in filter(None, pointer.split("/")):
                target = target[key]
            return description(file or name, target)
        return str(content.get("description", ""))

    def undescribed(name: str, schema: Any) -> list[str]:
        if not isinstance(schema, dict):
            return []
        properties = schema.get("properties", {})
        inner = [*properties.values(), *schema.get("$defs", {}).values()]
        inner += [schema.get(key) for key in ("items", "additionalProperties", "propertyNames")]
        missing = [
            f"{name}: {word}" for word, item in properties.items() if " | " not in description(name, item)
        ]
        return missing + [word for item in inner for word in undescribed(name, item)]

    assert [word for name, content in documents.items() for word in undescribed(name, content)] == []


def test_every_rule_file_names_the_schema_of_its_kind_for_editors(folder: Path) -> None:
    for path in [*rule_files(folder), *rule_files(folder, cases=True)]:
        first = path.read_text("utf-8").splitlines()[0]
        schema = (path.parent / first.removeprefix("# yaml-language-server: $schema=")).resolve()
        assert schema == (SCHEMAS / f"{kind_of(path.relative_to(folder).as_posix())}.schema.json").resolve()


def test_a_fourth_step_and_a_new_field_need_no_code(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "rules", ignore=shutil.ignore_patterns("engine", "*.py")))
    procedure = copy / "procedures/backup-creation.yaml"
    fourth = """steps:
  - id: storage
    title: { zh: 存储信息, en: storage }
    kind: form
    form: storage
    required: true
    judged_by: [storage]
"""
    procedure.write_text(procedure.read_text("utf-8").replace("steps:\n", fourth), "utf-8")
    (copy / "forms/storage.yaml").write_text(
        """x-title: { zh: 存储信息, en: storage }
x-in-force-from: 2023-07-01
x-basis: [{ instrument: notice, article: "2" }]
type: object
additionalProperties: false
required: [place]
properties:
  place: { x-title: { zh: 存放地点, en: place }, type: string, x-text: line, maxLength: 100 }
  categories:
    x-title: { zh: 信息类型, en: categories }
    type: array
    maxItems: 9
    items: { x-title: { zh: 信息类型, en: category }, type: string, x-values-from: categories }
""",
        "utf-8",
    )
    extended = load_rulebook(copy)
    judge = Judge(extended)
    assert [finding.rule for finding in judge.judge("storage", {})] == ["storage.place.required"]
    assert [
        finding.rule for finding in judge.judge("storage", {"place": "x", "categories": ["imaging"]})
    ] == ["out-of-scope.imaging"]
    contents: dict[str, dict[str, Any]] = {
        "storage": {"place": "x", "categories": ["wgs"]},
        "data-files": {"categories": ["wgs", "wes"]},
    }
    record = submission_record(extended, extended.procedure("backup-creation"), contents)
    assert record["undeclared_categories"] == ["wes"]
    rules = [finding.rule for finding in judge.judge("submission", record)]
    assert rules == ["categories-declared", "step.project.missing", "step.backup-information.missing"]


def test_a_submission_compares_what_is_declared_with_what_is_listed(release: Release) -> None:
    procedure = release.procedure("backup-creation")
    contents: dict[str, dict[str, Any]] = {
        "project": {"title": "x"},
        "backup-information": {"categories": ["wgs", "wes"]},
        "data-files": {"categories": ["wes", "array", "nonsense"], "in_transit": ["omix"]},
    }
    record = submission_record(release, procedure, contents)
    assert record["steps"] == contents
    assert record["undeclared_categories"] == ["array"]
    assert record["categories_without_files"] == ["wgs"]
    assert record["in_transit"] == ["omix"]
    assert submission_record(release, procedure, {})["steps"] == dict.fromkeys(contents)
