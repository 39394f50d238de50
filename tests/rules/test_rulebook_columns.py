import itertools
from typing import Any

import jsonschema_rs
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rulebook_records import ROW, cell_records, records

from rules.engine.atoms import Atom, atoms
from rules.engine.judge import Judge
from rules.engine.release import Release
from rules.engine.rule import schema_of
from rules.engine.table import DecisionTable, judge_columns

HOSTILE = ["", " ", "\n", "HRA000001\n", "HRA１２３４５６", "\u202e", "\u2028", "a.BAM", "a.bam\n", "x" * 300]


Rows = list[tuple[int, dict[str, Any]]]


def remarks(judge: Judge, rows: Rows, subject: str = "data-file") -> list[tuple[Any, ...]]:
    """What the judge says row by row."""
    judged = judge.judge_rows(subject, rows)
    return [(line, *finding[:3]) for line, _, findings in judged for finding in findings]


def by_column(judge: Judge, rows: Rows, chunk: int, subject: str = "data-file") -> list[tuple[Any, ...]]:
    return [row for frame in judge_columns(judge, subject, rows, chunk) for row in frame.iter_rows()]


def answers(atom: Atom, values: pl.Series) -> list[bool | None]:
    return values.to_frame("x").select(atom.holds(pl.col("x"), values.dtype)).to_series().to_list()


def test_on_every_cell_of_the_matrix_judging_by_column_finds_what_the_judge_finds(judge: Judge) -> None:
    formats = [None, "fastq", "csv", "x"]
    rows = [
        (line, record | ({"file_format": name} if name else {}))
        for line, ((_, record), name) in enumerate(itertools.product(cell_records(), formats), start=2)
    ]
    assert by_column(judge, rows, 1_000) == remarks(judge, rows)


@pytest.mark.parametrize("subject", ["data-file", "project"])
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_the_records_judging_by_column_finds_what_the_judge_finds(
    release: Release, judge: Judge, subject: str, data: st.DataObject
) -> None:
    drawn = data.draw(st.lists(records(release, subject), min_size=1, max_size=30))
    right = [ROW | {"file_name": f"{number}.bam", "md5": f"{number:032x}"} for number in range(5)]
    rows = list(enumerate([*drawn, *right], start=2))
    chunk = data.draw(st.sampled_from([9, 1_000]))
    assert by_column(judge, rows, chunk, subject) == remarks(judge, rows, subject)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_on_every_text_the_columns_answer_each_atom_as_the_validator_does(
    release: Release, data: st.DataObject
) -> None:
    schema = schema_of(release.subject_form("data-file"), release.schema_rules("data-file"))
    patterns = sorted(
        {atom for several in atoms(schema).values() for atom in several if atom.keyword == "pattern"}
    )
    atom = data.draw(st.sampled_from(patterns))
    like = st.from_regex(atom.schema["pattern"])
    values = data.draw(st.lists(st.one_of(like, st.text(max_size=12), st.sampled_from(HOSTILE)), min_size=1))
    validator = jsonschema_rs.Draft202012Validator(atom.schema, pattern_options=jsonschema_rs.RegexOptions())
    assert answers(atom, pl.Series(values, dtype=pl.String)) == [*map(validator.is_valid, values)]


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("pattern", r'"^\\d+$"'),
        ("pattern", '"^a.b$"'),
        ("pattern", r'"^\\w$"'),
        ("pattern", '"^(?:a|b)$"'),
        ("format", '"date"'),
        ("minLength", "2"),
        ("maxLength", "2"),
        ("const", '"a"'),
        ("enum", '["a", 1, null]'),
    ],
)
def test_what_the_columns_do_not_know_for_sure_the_validator_is_asked(keyword: str, value: str) -> None:
    atom = Atom(keyword, value)
    texts = ["a", "b", "ab", "a\nb", "a\rb", "a\u2028b", "１２", "12", "é", "𝒳𝒳", "2026-02-30", "2026-02-28"]
    validator = jsonschema_rs.Draft202012Validator(atom.schema, validate_formats=True)
    assert answers(atom, pl.Series(texts)) == [*map(validator.is_valid, texts)]


@pytest.mark.parametrize("keyword", ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"])
@pytest.mark.parametrize("bound", [0, 500, 9007199254740993, 2**70])
def test_at_a_bound_the_columns_answer_as_the_validator_does(keyword: str, bound: int) -> None:
    atom = Atom(keyword, str(bound))
    numbers = [bound + step for step in (-1, 0, 1) if bound + step < 2**63] + [0, -5]
    validator = jsonschema_rs.Draft202012Validator(atom.schema)
    assert answers(atom, pl.Series(numbers, dtype=pl.Int64)) == [*map(validator.is_valid, numbers)]


def test_a_column_the_subject_does_not_have_is_refused(judge: Judge) -> None:
    table = DecisionTable(judge, "data-file")
    for column in (pl.Series("gender", ["x"]), pl.Series("size_bytes", ["1"])):
        with pytest.raises(ValueError, match=column.name):
            table.judge(pl.DataFrame([pl.Series("line", [2]), column]))


def test_a_form_whose_fields_hold_lists_is_not_judged_by_column(judge: Judge) -> None:
    for subject in ("backup-information", "manifest"):
        with pytest.raises(ValueError, match=subject):
            DecisionTable(judge, subject)


def test_a_row_that_is_no_json_is_refused_without_showing_it(judge: Judge) -> None:
    with pytest.raises(ValueError, match="not JSON") as refused:
        by_column(judge, [(2, ROW), (3, ROW | {"file_name": "王小明\ud800"})], 10)
    assert "王" not in str(refused.value)


def test_a_table_says_the_same_whatever_it_was_asked_before(judge: Judge) -> None:
    plain = {name: value for name, value in ROW.items() if name not in ("accession", "md5")}
    stretches = [
        [plain | {"file_name": f"{number}.bam"} for number in range(40)],
        [
            ROW | {"run": "HRR000001" if number % 2 else "?", "size_bytes": number % 3 - 1}
            for number in range(40)
        ],
        [ROW | {"accession": "OMIX005710" if number % 2 else "HRA000001"} for number in range(40)],
        [{"file_name": "a.exe"}] * 40,
    ]
    for order in itertools.permutations(stretches):
        table = DecisionTable(judge, "data-file")
        for stretch in order:
            rows = list(enumerate(stretch, start=2))
            assert table.judge(*table.frame(rows)).rows() == remarks(judge, rows)
