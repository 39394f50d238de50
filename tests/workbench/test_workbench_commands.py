import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from cli.terminal import MEANINGS, ExitCode

Edited = Callable[..., Path]

PAGE = Path(__file__).parents[2] / "docs/reference/cli-rules.md"
EXAMPLES = Path(__file__).parents[2] / "examples"
ROW: dict[str, Any] = {
    "file_name": "a.vcf.gz",
    "repository": "omix",
    "accession": "OMIX005710",
    "category": "wes",
    "data_type": "variants",
    "md5": "d41d8cd98f00b204e9800998ecf8427e",
}


def _runs(*command: str, text: str | None = None, **environment: str | None) -> Result:
    return CliRunner().invoke(app, ["rules", *command], input=text, env=environment)


def test_the_page_of_commands_lists_the_exit_codes_as_they_are() -> None:
    rows = [f"| {code.value} | {text.zh} | {text.en} |" for code, text in MEANINGS.items()]
    table = PAGE.read_text("utf-8").partition("| code |")[2].partition("\n\n")[0].splitlines()[2:]
    assert table == rows
    assert list(MEANINGS) == list(ExitCode)


def test_the_page_names_every_command(folder: Path) -> None:
    page = PAGE.read_text("utf-8")
    commands = [line.split()[1] for line in _runs("--help").output.splitlines() if line.startswith("│ ")]
    for command in ("check", "test", "format", "new", "explain", "what", "diff", "impact", "publish"):
        assert command in commands
        assert f"`{command}" in page


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("check", "nowhere"), ExitCode.NOT_FOUND),
        (("impact", "nowhere"), ExitCode.NOT_FOUND),
        (("diff", "rules", "nowhere"), ExitCode.NOT_FOUND),
        (("diff", "rules", "rules/rulebook.yaml"), ExitCode.NOT_FOUND),
        (("explain", "rules"), ExitCode.NOT_FOUND),
        (("explain", "gbk.json"), ExitCode.USAGE),
        (("check", "odd"), ExitCode.NOT_FOUND),
        (("impact", "--state", "gbk.json"), ExitCode.USAGE),
        (("what", "omxi"), ExitCode.NOT_FOUND),
        (("explain", "nowhere.json"), ExitCode.NOT_FOUND),
        (("explain", "-", "--subject", "projekt"), ExitCode.NOT_FOUND),
        (("check", "--lang", "fr"), ExitCode.USAGE),
        (("new", "category", "Not An Id"), ExitCode.USAGE),
        (("new", "category", "wgs"), ExitCode.CONFLICT),
        (("new", "requirement", "project-dates", "--subject", "project"), ExitCode.CONFLICT),
        (("diff", "2026.1.1", "rules"), ExitCode.DOWN),
        (("impact",), ExitCode.DOWN),
    ],
)
def test_a_command_that_cannot_go_on_says_why_in_a_line_and_ends_with_its_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: tuple[str, ...], code: ExitCode
) -> None:
    (tmp_path / "rules").symlink_to(folder)
    (tmp_path / "gbk.json").write_bytes('{"title": "中国"}'.encode("gb18030"))
    (tmp_path / "odd" / "requirements").mkdir(parents=True)
    (tmp_path / "odd" / "requirements" / "loop.yaml").symlink_to("loop.yaml")
    monkeypatch.chdir(tmp_path)
    for name in ("HGRIP_DATABASE_URL", "HGRIP_KEYS_FILE", "HGRIP_TOKEN_ISSUER", "HGRIP_JWKS"):
        monkeypatch.delenv(name, raising=False)
    result = _runs(*command, text="{}")
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    assert result.output.strip()


def test_faults_are_told_in_the_language_asked_for_and_as_json(edited: Edited) -> None:
    copy = edited(("requirements/project.yaml", "severity: error", "severty: error"))
    zh, en = _runs("check", str(copy)), _runs("check", str(copy), "--lang", "en")
    assert (zh.exit_code, en.exit_code) == (ExitCode.FOUND, ExitCode.FOUND)
    assert "不认识“severty”" in zh.output
    assert "requirements/project.yaml:7:5 “severty” is unknown." in en.output
    (fault,) = json.loads(_runs("check", str(copy), "--json").output)["faults"]
    assert (fault["file"], fault["line"], fault["column"]) == ("requirements/project.yaml", 7, 5)
    assert fault["mend"]["en"] == "Did you mean “severity”?"


def test_no_colour_where_none_is_wanted(edited: Edited) -> None:
    copy = edited(("requirements/project.yaml", "severity: error", "severty: error"))
    assert "\x1b[" not in _runs("check", str(copy), NO_COLOR="1").output


def test_a_refused_record_is_explained_by_the_rule_its_words_and_its_basis() -> None:
    result = _runs("explain", "-", "--lang", "en", "--json", text=json.dumps(ROW))
    assert result.exit_code == ExitCode.FOUND
    answer = json.loads(result.output)
    assert (answer["subject"], answer["verdict"]) == ("data-file", "refused")
    (spoken,) = [look for look in answer["looks"] if look["outcome"] == "speaks"]
    assert spoken["rule"] == "wes.variants.repository"
    assert spoken["places"] == ["/repository"]
    assert spoken["message"].startswith("For whole-exome variants the right repository is GVM")
    assert "User notice of the HGR information backup platform, section 4" in spoken["basis"]
    looked = [look["rule"] for look in answer["looks"]]
    assert (
        looked.index("wes.data-type") < looked.index("wes.variants.repository") < looked.index("md5-needed")
    )
    assert "wgs.data-type" not in looked


def test_an_accepted_record_names_the_rules_it_satisfies_and_no_value() -> None:
    result = _runs("explain", str(EXAMPLES / "project.json"), "--all")
    assert result.exit_code == ExitCode.OK
    assert "project-dates 满足" in result.output
    assert "project: 接受" in result.output
    record = json.loads((EXAMPLES / "project.json").read_text("utf-8"))
    for field in ("contact_name", "contact_mobile", "contact_email"):
        assert record[field] not in result.output


def test_what_may_go_to_a_repository_and_where_a_category_goes() -> None:
    to_genbase = json.loads(_runs("what", "genbase", "--json").output)
    assert [(way["category"][1], way["kind"][1]) for way in to_genbase] == [
        ("targeted genome sequencing", "sequence"),
        ("epigenome sequencing", "sequence"),
        ("transcriptome sequencing", "sequence"),
    ]
    arrays = json.loads(_runs("what", "array", "--json").output)
    assert [way["repositories"] for way in arrays] == [["OMIX"], ["GVM"], ["OMIX"]]


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("GenBase", "GenBase"),
        ("GENBASE", "GenBase"),
        ("核酸序列数据库", "GenBase"),
        ("gsa human", "GSA-Human"),
    ],
)
def test_a_repository_is_found_by_the_name_people_use(name: str, repository: str) -> None:
    ways = json.loads(_runs("what", name, "--json").output)
    assert {way["repositories"][0] for way in ways} == {repository}


@pytest.mark.parametrize(
    ("name", "advice"), [("genbas", "genbase"), ("全外显子测序", "wes"), ("GAS-Human", "gsa-human")]
)
def test_a_misspelt_name_is_answered_with_the_nearest(name: str, advice: str) -> None:
    result = _runs("what", name)
    assert result.exit_code == ExitCode.NOT_FOUND
    assert f"Did you mean “{advice}”?" in result.output


def test_coverage_and_mutants_are_told_in_numbers(edited: Edited) -> None:
    copy = edited(("repositories/gwh.cases.yaml", "file1.fna.gz", "file1.fna"))
    result = _runs("test", str(copy), "--mutate", "--json")
    assert result.exit_code == ExitCode.FOUND
    assert json.loads(result.stdout)["unnoticed"] == [
        "gwh.assembly.format: fasta: file_name: pattern without .fna.gz"
    ]


def test_format_says_what_it_would_change_and_then_changes_it(edited: Edited) -> None:
    copy = edited(("requirements/project.yaml", "rules:", "rules:   "))
    assert _runs("format", str(copy), "--check").exit_code == ExitCode.FOUND
    assert _runs("format", str(copy)).exit_code == ExitCode.OK
    assert _runs("format", str(copy), "--check").exit_code == ExitCode.OK


def test_a_difference_of_two_working_copies_needs_no_database(edited: Edited, folder: Path) -> None:
    copy = edited(("requirements/security-review.yaml", "exclusiveMinimum: 500", "exclusiveMinimum: 300"))
    result = _runs("diff", str(folder), str(copy), "--json")
    assert result.exit_code == ExitCode.FOUND
    (change,) = json.loads(result.output)["changes"]
    assert (change["subject"], change["before"], change["after"]) == ("backup-information", None, "advice")
