import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.engine.cases import run_cases
from rules.engine.faults import RulebookError
from rules.engine.load import load_rulebook, read_checked
from rules.engine.release import Release

MUSEUM = sorted((Path(__file__).parent / "broken").glob("*.yaml"))


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("engine", "*.py", "*.cases.yaml")
    return Path(shutil.copytree(folder, tmp_path / "rules", ignore=ignored))


@pytest.mark.parametrize("exhibit", MUSEUM, ids=lambda path: path.stem)
def test_a_broken_rule_file_is_told_in_exactly_these_words(exhibit: Path, copy: Path) -> None:
    head = [
        line.removeprefix("# ") for line in exhibit.read_text("utf-8").splitlines() if line.startswith("# ")
    ]
    target = copy / head[0].removeprefix("file: ")
    target.parent.mkdir(exist_ok=True)
    shutil.copy(exhibit, target)
    with pytest.raises(RulebookError) as refused:
        load_rulebook(copy)
    told = [
        f"{language}: {fault.sentence(language)}"
        for fault in refused.value.faults
        for language in ("zh", "en")
    ]
    assert told == head[1:]


def test_the_faults_of_all_files_are_told_at_once(copy: Path) -> None:
    for exhibit in ("no-english", "pattern-shorthand", "repeated-key"):
        source = next(path for path in MUSEUM if path.stem == exhibit)
        shutil.copy(source, copy / "requirements" / f"{exhibit}.yaml")
    with pytest.raises(RulebookError) as refused:
        load_rulebook(copy)
    assert [fault.file for fault in refused.value.faults] == [
        "requirements/no-english.yaml",
        "requirements/pattern-shorthand.yaml",
        "requirements/repeated-key.yaml",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("规则:\n  - 编号".encode("gb18030"), "UTF-8"),
        (b"rules: " + b"[" * 5000, "deep"),
        (b"a: " + b"x" * 2_000_000, "2000003 bytes"),
        (b"a: \x00", "not valid YAML"),
        (b"rules: []\n---\nrules: []\n", "second document"),
        (b"? [a]\n: b\n", "not text"),
        (b"", "must be object"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_a_sentence(
    copy: Path, content: bytes, words: str
) -> None:
    (copy / "requirements/broken.yaml").write_bytes(content)
    with pytest.raises(RulebookError, match=words):
        load_rulebook(copy)


def test_an_empty_folder_lacks_its_first_files(tmp_path: Path) -> None:
    with pytest.raises(RulebookError) as refused:
        load_rulebook(tmp_path)
    assert [fault.file for fault in refused.value.faults] == [
        "categories/out-of-scope.yaml",
        "data-types.yaml",
        "messages.yaml",
        "rulebook.yaml",
    ]


def test_a_word_in_braces_that_nothing_fills_is_a_fault(copy: Path) -> None:
    messages = copy / "messages.yaml"
    messages.write_text(
        messages.read_text("utf-8").replace("{limit} 个字。请删减", "{limits} 个字。请删减"), "utf-8"
    )
    with pytest.raises(RulebookError, match=r"“\{limits\}”\. .*“limit”"):
        load_rulebook(copy)


def test_a_case_that_comes_out_otherwise_and_a_rule_no_case_tries_are_reported(
    copy: Path, release: Release
) -> None:
    (copy / "a.cases.yaml").write_text(
        "subject: manifest\n"
        "base: { rows: 1, unreadable_rows: 0, errors: 0 }\n"
        "cases:\n"
        "  - { name: 一行也没有也接受, with: { rows: 0 }, findings: [] }\n"
        "  - { name: 规则名写错, findings: [manifest-not-emty] }\n",
        "utf-8",
    )
    failures = run_cases(copy, release)
    assert [(failure.case, failure.what.en) for failure in failures] == [
        ("一行也没有也接受", "Expected —, but came manifest-not-empty."),
        ("规则名写错", "“manifest-not-emty” is unknown. Did you mean “manifest-not-empty”?"),
    ]
    (copy / "a.cases.yaml").write_text(
        "subject: manifest\nbase: { rows: 1 }\ncases: [{ name: 有一行接受, findings: [] }]\n", "utf-8"
    )
    untried = {(failure.case, failure.what.en) for failure in run_cases(copy, release)}
    assert ("manifest-not-empty", "No case refuses it.") in untried
    assert ("wgs.raw.repository", "No case refuses it.") in untried
    edge = "The bound 1 is not tried on its edge: add cases where rows is 0, 2."
    assert ("manifest-not-empty", edge) in untried


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_damaged_rule_file_is_read_or_refused_never_worse(copy: Path, data: st.DataObject) -> None:
    files = ("requirements/security-review.yaml", "forms/data-file.yaml", "categories/targeted.yaml")
    path = copy / data.draw(st.sampled_from(files))
    original = path.read_bytes()
    start = data.draw(st.integers(0, len(original) - 1))
    end = data.draw(st.integers(start, min(len(original), start + 40)))
    path.write_bytes(original[:start] + data.draw(st.binary(max_size=12)) + original[end:])
    try:
        assert read_checked(copy, path).data
    except RulebookError as refused:
        assert refused.faults  # noqa: PT017 - either way is right
    finally:
        path.write_bytes(original)
