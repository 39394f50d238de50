import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rules.engine.diff import diff
from rules.engine.load import load_rulebook
from rules.engine.release import Release
from rules.engine.spellings import pattern_changes

Edited = Callable[..., Path]

OMIX_VARIANTS = ("repositories/omix.yaml", "formats:\n", "formats:\n  variants:\n    vcf: [.vcf, .vcf.gz]\n")


@pytest.mark.parametrize(
    ("edits", "zh", "en"),
    [
        (
            [("requirements/security-review.yaml", "exclusiveMinimum: 500", "exclusiveMinimum: 300")],
            [
                (
                    "备份信息，信息类型 全外显子组测序、全基因组测序，人数 301–500，"
                    "安全审查意见编号 不填：接受 → 接受并告知"
                )
            ],
            [
                (
                    "backup information, categories whole-exome sequencing or whole-genome sequencing, "
                    "number of persons 301–500, number of the security review left empty: "
                    "accepted → accepted with advice"
                )
            ],
        ),
        (
            [("categories/wes.yaml", "repositories: [gvm]", "repositories: [gvm, omix]"), OMIX_VARIANTS],
            [
                (
                    "数据文件信息，信息类型 全外显子组测序，数据类型 变异数据，数据资源库 OMIX，"
                    "生物标志物类别 不填，文件格式 不填、vcf：拒绝 → 接受"
                )
            ],
            [
                (
                    "data file, category whole-exome sequencing, data type variants, repository OMIX, "
                    "kind of biomarker left empty, file format left empty or vcf: refused → accepted"
                )
            ],
        ),
        (
            [
                ("repositories/gsa-human.yaml", "HRA[0-9]{6,}", "HRA[0-9]{6}"),
                ("repositories/gsa-human.yaml", "HRA016642, HRA1000000]", "HRA016642]"),
            ],
            ["数据文件信息，数据资源库 GSA-Human，编号 HRA1000000：接受 → 拒绝"],
            ["data file, repository GSA-Human, accession HRA1000000: accepted → refused"],
        ),
        (
            [("forms/project.yaml", "maxLength: 4000", "maxLength: 3000")],
            ["项目信息，项目简介 （3001 个字）、（4000 个字）：接受 → 拒绝"],
            ["project, description (3001 characters) or (4000 characters): accepted → refused"],
        ),
        (
            [("forms/project.yaml", "ethics_approval_number]", "ethics_approval_number, study_type]")],
            ["项目信息，研究类型 不填：接受 → 拒绝"],
            ["project, study type left empty: accepted → refused"],
        ),
        (
            [("requirements/data-files.yaml", "unique: md5", "unique: size_bytes")],
            [
                "同一清单里MD5 校验值重复：接受并提醒 → 接受",
                "同一清单里文件大小（字节）重复：接受 → 接受并提醒",
            ],
            [
                "the same MD5 checksum twice in one list: accepted with a warning → accepted",
                "the same file size (bytes) twice in one list: accepted → accepted with a warning",
            ],
        ),
    ],
    ids=["threshold", "cell", "pattern", "limit", "required", "unique"],
)
def test_a_changed_decision_is_told_in_one_sentence(
    release: Release, edited: Edited, edits: list[tuple[str, str, str]], zh: list[str], en: list[str]
) -> None:
    difference = diff(release, load_rulebook(edited(*edits)))
    assert [change.sentence.zh for change in difference.changes] == zh
    assert [change.sentence.en for change in difference.changes] == en


def test_renaming_a_rule_and_rewording_titles_changes_no_decision(release: Release, edited: Edited) -> None:
    copy = edited(
        ("requirements/project.yaml", "id: project-disease", "id: project-illness"),
        ("categories/wes.yaml", "zh: 全外显子组", "zh: 外显子组"),
        ("repositories/gvm.yaml", "en: Genome Variation Map }", "en: Variation Map }"),
    )
    difference = diff(release, load_rulebook(copy))
    assert difference.changes == []
    assert difference.settings == []
    assert difference.files == ["categories/wes", "repositories/gvm", "requirements/project"]


def test_a_release_does_not_differ_from_itself(release: Release) -> None:
    assert diff(release, release)[:3] == ([], [], [])


def test_a_procedure_s_deadline_is_told_by_its_values(release: Release, edited: Edited) -> None:
    difference = diff(release, load_rulebook(edited(("procedures/backup-creation.yaml", "P180D", "P90D"))))
    assert difference.changes == []
    assert difference.settings == ['procedures/backup-creation: expires_after: "P180D" → "P90D"']


def test_releases_that_ask_for_the_kind_in_different_fields_can_be_compared(release: Release) -> None:
    renamed = Release(json.loads(release.canonical().replace(b"biomarker_kind", b"marker_kind")))
    sentences = [change.sentence.en for change in diff(release, renamed).changes]
    assert any("repository GenBase" in one and one.endswith("refused → accepted") for one in sentences)
    assert any("repository GenBase" in one and one.endswith("accepted → refused") for one in sentences)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("categories/wgs.yaml", "repositories: [gsa-human]", "repositories: [omix]"),
        ("categories/targeted.yaml", "other: [omix]", "other: [genbase]"),
    ],
)
def test_a_flipped_repository_is_seen_from_both_sides(
    release: Release, edited: Edited, file: str, old: str, new: str
) -> None:
    difference = diff(release, load_rulebook(edited((file, old, new))))
    assert {(change.before, change.after) for change in difference.changes} == {
        (None, "error"),
        ("error", None),
    }


@pytest.mark.parametrize(
    ("old", "new", "refused", "accepted"),
    [
        ("^HRA[0-9]{6,}$", "^HRA[0-9]{6}$", ["HRA0000001"], []),
        ("^HRA[0-9]{6,}$", "^HRA[0-9]{6,9}$", ["HRA0000011111"], []),
        ("^HRA[0-9]{6,}$", "^HR[AB][0-9]{5,}$", [], ["HRA00000", "HRB000001"]),
        ("^(\\+86)?1[3-9][0-9]{9}$", "^(\\+86)?1[4-9][0-9]{9}$", ["+8613000000000"], []),
        ("^[ab]*$", "^[ab]+$", ['""'], []),
        ("^[ab]+$", "^(a|b)+$", [], []),
    ],
)
def test_what_a_pattern_no_longer_or_newly_accepts_is_found_without_an_example_of_it(
    old: str, new: str, refused: list[str], accepted: list[str]
) -> None:
    seeds = {"H": "HRA000001", "(": "+8613000000001", "[": "ab"}
    before, after = (
        {"file": {"here": {"pattern": pattern, "examples": [seeds[old[1]]]}}} for pattern in (old, new)
    )
    (change,) = pattern_changes(before, after)
    assert (change.place, change.refused, change.accepted) == ("file: here", refused, accepted)


def test_a_changed_pattern_is_told_also_where_nothing_tells_the_two_apart(
    release: Release, edited: Edited
) -> None:
    copy = edited(("repositories/gvm.yaml", "^GVM[0-9]{6,}$", "^GVM[0-9]{5,}[0-9]$"))
    difference = diff(release, load_rulebook(copy))
    assert difference.changes == []
    (change,) = difference.patterns
    assert change.sentence.en.startswith("repositories/gvm: identifiers.accession: pattern changed: ^GVM")
    assert change.sentence.en.endswith("spellings tried, none is judged otherwise")
    assert "判断都相同" in change.sentence.zh


def test_the_progress_of_a_comparison_ends_below_what_it_asks(release: Release) -> None:
    told: list[tuple[int, int]] = []
    difference = diff(release, release, lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {total for _, total in told} == {difference.asked}
