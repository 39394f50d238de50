"""Records to judge: every cell of the matrix, and whatever chance brings."""

import itertools
from typing import Any

from hypothesis import strategies as st

from rules.engine.release import Release

ACCESSIONS = {
    "gsa-human": "HRA000001",
    "gwh": "GWHAAAA00000000",
    "gvm": "GVM000324",
    "genbase": "C_AA004835.1",
    "omix": "OMIX005710",
}
SUFFIXES = {
    ("gsa-human", "raw"): "fastq.gz",
    ("gwh", "assembly"): "fasta.gz",
    ("gvm", "variants"): "vcf.gz",
    ("genbase", "biomarker"): "fasta",
    ("omix", "raw"): "idat",
    ("omix", "biomarker"): "csv",
    ("omix", "statistics"): "csv",
}
ALLOWED = {
    ("wgs", "raw", None, "gsa-human"),
    ("wgs", "assembly", None, "gwh"),
    ("wgs", "variants", None, "gvm"),
    ("wgs", "statistics", None, "omix"),
    ("array", "raw", None, "omix"),
    ("array", "variants", None, "gvm"),
    ("array", "statistics", None, "omix"),
    ("wes", "raw", None, "gsa-human"),
    ("wes", "variants", None, "gvm"),
    ("wes", "statistics", None, "omix"),
    *(
        (category, data_type, kind, repository)
        for category in ("targeted", "epigenome", "transcriptome")
        for data_type, kind, repository in (
            ("raw", None, "gsa-human"),
            ("biomarker", "sequence", "genbase"),
            ("biomarker", "other", "omix"),
            ("statistics", None, "omix"),
        )
    ),
}
"""The 22 ways of the notice, typed in by hand."""

ROW: dict[str, Any] = {
    "file_name": "sample1.fastq.gz",
    "repository": "gsa-human",
    "accession": "HRA000001",
    "category": "wgs",
    "data_type": "raw",
    "md5": "d41d8cd98f00b204e9800998ecf8427e",
    "deposit": "deposited",
    "listing": "file_list",
}


def cell_records() -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Every category × data type × kind × repository, with nonsense and nothing in each place."""
    categories = ["wgs", "array", "wes", "targeted", "epigenome", "transcriptome", "clinical", "x", None]
    data_types = ["raw", "assembly", "variants", "biomarker", "statistics", "x", None]
    records = []
    for cell in itertools.product(
        categories, data_types, ["sequence", "other", "x", None], [*ACCESSIONS, "x", None]
    ):
        category, data_type, kind, repository = cell
        values = {
            "category": category,
            "data_type": data_type,
            "biomarker_kind": kind,
            "repository": repository,
            "accession": ACCESSIONS.get(str(repository), "X1"),
            "file_name": f"a.{SUFFIXES.get((str(repository), str(data_type)), 'bin')}",
            "md5": ROW["md5"],
        }
        records.append((cell, {name: value for name, value in values.items() if value is not None}))
    return records


def records(release: Release, subject: str) -> st.SearchStrategy[dict[str, Any]]:
    """Records of a form: each field right, wrong in kind, hostile, or away."""
    hostile = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=20),
        st.sampled_from(
            ["", " ", "\n", "１２３", "HRA000001\n", "2026-02-30", "2026-02-28", "a b", "\u202e", "x" * 300]
        ),
        st.lists(st.sampled_from(["wgs", "wes", "clinical", 1, None, "x"]), max_size=3),
        st.just({"name": "A university", "country": "US", "kind": "organisation"}).map(lambda item: [item]),
    )
    fields = {}
    for name, field in release.judged_form(subject)["properties"].items():
        right = field.get("enum") or field.get("examples") or ["数据 data 1", "a.fastq.gz", "2026-11-01"]
        fields[name] = st.one_of(st.sampled_from(right), hostile)
    more = {name: fields[name] for name in fields}
    return st.fixed_dictionaries({}, optional=more | {"someone's own": hostile})
