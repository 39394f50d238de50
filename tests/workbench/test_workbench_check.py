import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rules.engine.cases import read_cases, read_untested, run_cases
from rules.engine.contradictions import check_contradictions
from rules.engine.coverage import Trial, cell_coverage, rule_coverage
from rules.engine.load import load_rulebook
from rules.engine.mutate import mutants, survivors
from rules.engine.release import Release

Edited = Callable[..., Path]

BROKEN = sorted((Path(__file__).parent / "broken").glob("*.yaml"))


@pytest.mark.parametrize("exhibit", BROKEN, ids=lambda path: path.stem)
def test_a_contradiction_is_told_in_exactly_these_words(exhibit: Path, edited: Edited) -> None:
    lines = exhibit.read_text("utf-8").splitlines()
    head = [line.removeprefix("# ") for line in lines if line.startswith("# ")]
    copy = edited()
    shutil.copy(exhibit, copy / "requirements" / exhibit.name)
    faults = check_contradictions(copy, load_rulebook(copy))
    assert [f"{lang}: {fault.sentence(lang)}" for fault in faults for lang in ("zh", "en")] == head


def test_our_rules_contradict_nowhere(folder: Path, release: Release) -> None:
    assert check_contradictions(folder, release) == []


def test_every_rule_and_cell_has_its_cases_and_every_small_change_is_noticed_or_excused(
    folder: Path, release: Release
) -> None:
    cases = list(read_cases(folder))
    found = [mutant.id for mutant in survivors(release, cases)]
    excused = read_untested(folder)
    trial = Trial(rule_coverage(release, cases), cell_coverage(release, cases), found, excused)
    assert trial.gaps == []
    assert trial.unnoticed == []
    untried = {reach.name for reach in trial.rules if not reach.complete}
    assert [name for name in excused if name not in found and name not in untried] == []


@pytest.mark.parametrize(
    ("file", "cases", "unnoticed"),
    [
        (
            "requirements/security-review.cases.yaml",
            "501",
            "security-review-500: when: individual_count: exclusiveMinimum 500 → 501",
        ),
        ("categories/wgs.cases.yaml", "OMIX", "wgs.raw.repository: repository: enum with omix"),
        (
            "repositories/gvm.cases.yaml",
            ".vcf.bgz",
            "gvm.variants.format: vcf: file_name: pattern without .vcf.bgz",
        ),
    ],
)
def test_without_its_cases_a_small_change_goes_unnoticed(
    release: Release, folder: Path, file: str, cases: str, unnoticed: str
) -> None:
    kept = [case for case in read_cases(folder) if case.file != file or cases not in case.name]
    names = {mutant.id for mutant in survivors(release, kept)}
    known = {mutant.id for mutant in mutants(release)}
    assert unnoticed in known
    assert unnoticed in names


def test_a_cell_without_its_refusing_case_is_a_gap(release: Release, folder: Path) -> None:
    kept = [case for case in read_cases(folder) if "array.raw.repository" not in case.findings]
    gaps = [
        reach.name
        for reach in (*rule_coverage(release, kept), *cell_coverage(release, kept))
        if not reach.complete
    ]
    assert "array.raw.repository" in gaps
    assert "array.raw → gwh" in gaps
    assert "array.raw → omix" not in gaps


def test_a_mutant_of_a_changed_rulebook_is_noticed_by_a_case_that_now_fails(edited: Edited) -> None:
    copy = edited(("requirements/security-review.yaml", "exclusiveMinimum: 500", "exclusiveMinimum: 501"))
    failures = run_cases(copy, load_rulebook(copy))
    assert [failure.what.en for failure in failures] == ["Expected security-review-500, but came —."] * 3
