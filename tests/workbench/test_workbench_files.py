import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rules.engine.cases import run_cases
from rules.engine.dialect import SCHEMAS, check_shape, kind_of
from rules.engine.faults import RulebookError
from rules.engine.format import formatted
from rules.engine.load import load_rulebook, rule_files
from rules.engine.release import Release
from rules.engine.scaffold import new_category, new_repository, new_requirement
from rules.engine.source import read

Edited = Callable[..., Path]


def _all(folder: Path) -> list[Path]:
    return [*rule_files(folder), *rule_files(folder, cases=True)]


def test_our_rule_files_are_laid_out_canonically(folder: Path) -> None:
    assert [path.name for path in _all(folder) if formatted(folder, path) != path.read_text("utf-8")] == []


def test_a_badly_laid_out_file_gets_its_canonical_text_and_keeps_comments_and_quotes(edited: Edited) -> None:
    copy = edited()
    path = copy / "requirements/project.yaml"
    path.write_text(
        "# 项目的规则\n"
        "rules:\n"
        "- id: project-dates   # 两个日期\n"
        "  subject: 'project'\n"
        "  in_force_from: 2023-07-01\n"
        "  order: [start_date,end_date]\n"
        "  severity: error\n"
        "  message: {zh: 请核对。,    en: 'Please: check.'}   \n\n"
        "  basis:\n"
        '  - {instrument: notice, article: "2"}\n\n\n',
        "utf-8",
        newline="\r\n",
    )
    once = formatted(copy, path)
    # The first line is for editors; it leads to the schema from wherever the folder is.
    assert once.splitlines()[1:] == [
        "# 项目的规则",
        "rules:",
        "  - id: project-dates # 两个日期",
        "    subject: 'project'",
        "    in_force_from: 2023-07-01",
        "    order: [start_date, end_date]",
        "    severity: error",
        "    message: { zh: 请核对。, en: 'Please: check.' }",
        "",
        "    basis:",
        '      - { instrument: notice, article: "2" }',
    ]
    header = once.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / header).resolve() == SCHEMAS / "requirements.schema.json"
    path.write_text(once, "utf-8")
    assert formatted(copy, path) == once


@pytest.mark.parametrize("kind", ["category", "project", "backup-information"])
def test_a_scaffold_is_valid_formatted_and_its_cases_pass(
    release: Release, edited: Edited, kind: str
) -> None:
    copy = edited()
    files = (
        new_category(release, "new-one") if kind == "category" else new_requirement(release, "new-one", kind)
    )
    for file, text in files.items():
        (copy / file).write_text(text, "utf-8")
        assert formatted(copy, copy / file) == text
    assert run_cases(copy, load_rulebook(copy)) == []


def test_a_scaffolded_repository_lacks_only_a_category_that_names_it(
    release: Release, edited: Edited
) -> None:
    copy = edited()
    for file, text in new_repository(release, "new-one").items():
        (copy / file).write_text(text, "utf-8")
        assert formatted(copy, copy / file) == text
    with pytest.raises(RulebookError) as refused:
        load_rulebook(copy)
    assert [fault.what.en for fault in refused.value.faults] == ["No category deposits “raw” here."]
    path = copy / "categories/wgs.yaml"
    text = path.read_text("utf-8").replace("[gsa-human]", "[gsa-human, new-one]")
    path.write_text(text, "utf-8")
    assert run_cases(copy, load_rulebook(copy)) == []


def test_an_editor_accepts_every_file_and_marks_a_misspelt_key(folder: Path, tmp_path: Path) -> None:
    for path in _all(folder):
        file = path.relative_to(folder).as_posix()
        kind = kind_of(file)
        assert kind is not None
        assert check_shape(read(file, path), kind) == []
        source = read(file, path)
        known = next(iter(source.data))
        source.data[f"{known}s"] = source.data.pop(known)
        assert any(
            f"“{known}s”" in fault.what.en and known in fault.mend.en for fault in check_shape(source, kind)
        )


def test_schemas_of_editors_refer_to_each_other_by_names_that_exist() -> None:
    names = {path.name for path in SCHEMAS.glob("*.schema.json")}

    def references(value: object) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [ref for item in value.values() for ref in references(item)]
        return [ref for item in value for ref in references(item)] if isinstance(value, list) else []

    for path in SCHEMAS.glob("*.schema.json"):
        document = json.loads(path.read_text("utf-8"))
        files = {ref.partition("#")[0] for ref in references(document)} - {""}
        assert files <= names
        assert "://" not in "".join(files)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"rules: &a [*a]\n", "anchor"),
        (b"a: &a [1]\nb: &b [*a, *a]\nc: &c [*b, *b]\n", "anchor"),
        ("rules:\n  - 编号".encode("gb18030"), "UTF-8"),
        ("rules: []".encode("utf-16"), "UTF-8"),
        (b"rules: " + b"{a: " * 3000, "deep"),
        (b"a: " + b"x" * 50_000_000, "more than"),
        (b"- !!python/object/apply:os.system ['true']\n", "tag"),
    ],
    ids=["cyclic", "bomb", "gb18030", "utf-16", "deep", "50-mb", "tag"],
)
def test_a_hostile_rule_file_is_refused_with_a_sentence(edited: Edited, content: bytes, words: str) -> None:
    copy = edited()
    (copy / "requirements/hostile.yaml").write_bytes(content)
    with pytest.raises(RulebookError, match=words):
        load_rulebook(copy)
    shutil.rmtree(copy)
