"""Scaffolds (脚手架): a new rule file with its cases, right by the dialect, for its author to fill in."""

import json
from datetime import date
from typing import Any

from rules.engine.domain import Domain
from rules.engine.judge import Judge
from rules.engine.release import Release

_HEADER = "# yaml-language-server: $schema=../../schemas/rulebook/{kind}.schema.json\n"
_FILES = """
base: { md5: "d41d8cd98f00b204e9800998ecf8427e", deposit: deposited, listing: file_list }
"""


def new_category(release: Release, id: str) -> dict[str, str]:  # noqa: A002
    """A category with raw data in the first repository that takes such data.

    Returns:
        Text by path inside the rulebook's folder; with both files the rulebook is valid and its cases pass.
    """
    right = next(r for r, entry in release.repositories.items() if "raw" in entry.formats)
    wrong = next(r for r, entry in release.repositories.items() if r != right)
    position = max(category.position for category in release.categories.values()) + 1
    rule = f"""{_HEADER.format(kind="category")}title: {{ zh: 待写-{id}, en: to be written {id} }}
position: {position}
in_force_from: {_in_force(release)}
basis:
  - {{ instrument: {_instrument(release)}, article: "1" }} # 依据哪一条 / which article
data_types: # 每种数据写明递交到哪个库 / each kind of data with its repository
  raw:
    title: {{ zh: 待写-{id}-原始数据, en: to be written {id} raw data }}
    repositories: [{right}]
"""
    cases = f"""{_HEADER.format(kind="cases")}subject: data-file{_FILES}cases:
  - name: 原始数据递交到 {release.repositories[right].name}，接受
    with: {_row(release, id, "raw", right)}
    findings: []
  - name: 原始数据递交到 {release.repositories[wrong].name}，拒绝
    with: {_row(release, id, "raw", wrong)}
    findings: [{id}.raw.repository]
  - name: 没有统计数据这一种，拒绝
    with: {_row(release, id, "statistics", right)}
    findings: [{id}.data-type]
"""
    return {f"categories/{id}.yaml": rule, f"categories/{id}.cases.yaml": cases}


def new_repository(release: Release, id: str) -> dict[str, str]:  # noqa: A002
    """A repository for raw data of the first category.

    Returns:
        Text by path. Both files are right by the dialect; the rulebook becomes valid, and the cases pass,
        once that category names the repository for its raw data.
    """
    position = max(entry.position for entry in release.repositories.values()) + 1
    category = next(name for name, entry in release.categories.items() if "raw" in entry.data_types)
    prefix = "".join(filter(str.isalpha, id)).upper()
    rule = f"""{_HEADER.format(kind="repository")}name: {id.upper()}
title: {{ zh: 待写-{id}, en: to be written {id} }}
position: {position}
home: https://example.org/
contacts: {{ email: someone@example.org, qq_group: "00000" }}
in_force_from: {_in_force(release)}
basis:
  - {{ instrument: {_instrument(release)}, article: "1" }} # 依据哪一条 / which article
identifiers:
  accession:
    title: {{ zh: 编号, en: accession }}
    pattern: "^{prefix}[0-9]{{6,}}$"
    examples: [{prefix}000001]
    counter_examples: [{prefix}00001, {prefix.lower()}000001]
formats: # 数据类型 → 格式 → 后缀 / data type → format → suffixes
  raw:
    fastq: [.fastq.gz]
"""
    row = f"category: {category}, data_type: raw, repository: {id}"
    cases = f"""{_HEADER.format(kind="cases")}subject: data-file{_FILES}cases:
  - name: 编号和后缀都对，接受
    with: {{ {row}, accession: {prefix}000001, file_name: file1.fastq.gz }}
    findings: []
  - name: 编号少一位，拒绝
    with: {{ {row}, accession: {prefix}00001, file_name: file1.fastq.gz }}
    findings: [{id}.accession]
  - name: 后缀不符，拒绝
    with: {{ {row}, accession: {prefix}000001, file_name: file1.docx }}
    findings: [{id}.raw.format]
"""
    return {f"repositories/{id}.yaml": rule, f"repositories/{id}.cases.yaml": cases}


def new_requirement(release: Release, id: str, subject: str) -> dict[str, str]:  # noqa: A002
    """A requirement that remarks on one placeholder only, so that everything else stays as it is.

    Raises:
        KeyError: The subject is no form.
    """
    field = next(name for name, entry in release.form(subject)["properties"].items() if "x-text" in entry)
    base = Domain([release], subject).base(Judge(release))
    fields = "\n".join(f"  {name}: {_flow(value)}" for name, value in base.items())
    rule = f"""{_HEADER.format(kind="requirements")}rules:
  - id: {id}
    subject: {subject}
    in_force_from: {_in_force(release)}
    when: {{ required: [{field}] }} # 何时判断 / when it speaks
    require: {{ properties: {{ {field}: {{ not: {{ const: 待写待写待写 }} }} }} }} # 必须怎样 / what must hold
    severity: advice
    message:
      zh: 待写：在哪里、是什么、为什么、怎么改。
      en: "To be written: where, what, why, and how to mend it."
    basis:
      - {{ instrument: {_instrument(release)}, article: "1" }} # 依据哪一条 / which article
"""
    cases = f"""{_HEADER.format(kind="cases")}subject: {subject}
base:
{fields}
cases:
  - name: 合乎要求，接受
    findings: []
  - name: 不合要求，告知
    with: {{ {field}: 待写待写待写 }}
    findings: [{id}]
"""
    return {f"requirements/{id}.yaml": rule, f"requirements/{id}.cases.yaml": cases}


def _row(release: Release, category: str, data_type: str, repository: str) -> str:
    entry = release.repositories[repository]
    suffix = next(suffixes[0] for formats in entry.formats.values() for suffixes in formats.values())
    values = {
        "category": category,
        "data_type": data_type,
        "repository": repository,
        "accession": entry.identifiers["accession"].examples[0],
        "file_name": f"file1{suffix}",
    }
    return _flow(values)


def _flow(value: Any) -> str:
    """A value on one line, in the canonical layout."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{name}: {_flow(item)}' for name, item in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(_flow(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False)


def _instrument(release: Release) -> str:
    return next(iter(release.rulebook.instruments))


def _in_force(release: Release) -> date:
    """The first day the placeholder basis allows."""
    return release.rulebook.instruments[_instrument(release)].in_force
