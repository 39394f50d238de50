"""File lists in PostgreSQL: streamed in with COPY, judged in the same pass, in constant memory."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

import orjson
import polars as pl
from sqlalchemy import text
from sqlmodel import Session, col, select

from manifests.reader import Fault, Manifest, Part
from rules.engine.lists import ListJudge
from rules.engine.normalise import RowNormaliser
from rules.engine.release import Release
from rules.engine.table import Row
from schemas.errors import Refusal
from schemas.findings import Finding, Severity
from schemas.tables.contents import LONGEST_ACCESSION, ManifestContent, ManifestJudgement, ManifestRow
from schemas.texts import Text
from store.copying import copy_frame, cursor, json_objects
from store.database import Writer
from store.releases import Rulebook

NO_KNOWN_COLUMN = Text(
    "第一行中没有一个已知的列名。请在第一行写明列名，例如 file_name（文件名）、accession（编号）。",
    "The first line names no known column. Name the columns there, for example file_name, accession.",
)
CHUNK = 10_000
"""Stored rows held in memory at once."""
TOGETHER = 8_000
"""Rows of an upload held in memory at once."""
_SLICE = 1_000
"""Rows whose JSON is."""
FAULTS = 'COPY manifest_fault (manifest_id, code, line, "column", facts) FROM STDIN'

Record = Mapping[str, Any]


class Tally:
    """What is known of a list once its rows have passed by.

    Only categories and repositories of the release count: whatever else a row says there has its finding, and
    a list of nonsense must not grow what crosses Temporal.
    """

    def __init__(self, release: Release) -> None:
        self._known_categories = release.categories.keys()
        self._known_repositories = release.repositories.keys()
        self.rows = 0
        self.unreadable = 0
        self.categories: set[str] = set()
        self.repositories: set[str] = set()
        self.in_transit: set[str] = set()

    def count(self, record: Record, times: int = 1) -> None:
        """Take one row in, or several that say the same of what is counted."""
        self.rows += times
        category, repository = record.get("category"), record.get("repository")
        if category in self._known_categories:
            self.categories.add(category)
        if repository in self._known_repositories:
            self.repositories.add(repository)
            if record.get("deposit") == "in_transit":
                self.in_transit.add(repository)

    def count_all(self, frame: pl.DataFrame) -> None:
        """Take rows in."""
        names = [name for name in ("category", "repository", "deposit") if name in frame.columns]
        for *values, times in frame.group_by(names).len().iter_rows() if names else [(len(frame),)]:
            self.count(dict(zip(names, values, strict=True)), times)


@dataclass
class Counts:
    """Findings by severity."""

    error: int = 0
    warning: int = 0
    advice: int = 0

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> Self:
        """Count findings."""
        counts = cls()
        for finding in findings:
            counts.count(finding.severity)
        return counts

    def count(self, severity: Severity, times: int = 1) -> None:
        """Take findings of one severity in."""
        setattr(self, severity, getattr(self, severity) + times)

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.error + other.error, self.warning + other.warning, self.advice + other.advice)


def add_manifest(
    writer: Writer,
    manifest: Manifest,
    manifest_id: UUID,
    account_id: UUID,
    sha256: str,
    rulebook: Rulebook,
    form: str,
) -> ManifestContent:
    """Store every readable row of an uploaded list and judge it by one release, in one pass.

    Bad rows become faults with line and column (its number where its name is not known); the good ones stay.

    Args:
        writer: The transaction that holds the whole list.
        manifest: The opened list.
        manifest_id: Id of the new content; when it is there already, that content is returned.
        account_id: Who uploads.
        sha256: Digest of the uploaded bytes, hex.
        rulebook: The release in force today.
        form: Form of one row.

    Raises:
        Refusal: ``unreadable_manifest``, when no column of the list is known.
    """
    stored = writer.get(ManifestContent, manifest_id)
    if stored is not None:
        return stored
    normaliser = RowNormaliser(rulebook.release, form, manifest.listing)
    columns = normaliser.columns(manifest.header)
    if not columns:
        raise Refusal("unreadable_manifest", NO_KNOWN_COLUMN)
    known = set(columns.values())

    def shown(column: str | None) -> str | None:
        """An unknown name may be a person's, from a list without a header: its place stands in for it."""
        return column if column is None or column in known else str(manifest.header.index(column) + 1)

    tally, counts, judge = Tally(rulebook.release), Counts(), ListJudge(rulebook.judge, form)

    def add(part: Part) -> None:
        """A function, so that nothing of a part is held while the next one is read."""
        frame, odd = normaliser.frame(part.lines, part.cells)
        tally.count_all(frame)
        for _, record in odd:
            tally.count(record)
        tally.unreadable += len(part.faults)
        _copy_rows(writer, manifest_id, frame, odd)
        _add_accessions(writer, manifest_id, frame, odd)
        faults = [fault._replace(column=shown(fault.column)) for fault in part.faults]
        _copy_faults(writer, manifest_id, faults)
        _add_findings(writer, manifest_id, rulebook, judge.frame(frame, odd), counts, columns)

    for part in manifest.parts(TOGETHER):
        add(part)
    _judge_uniqueness(writer, manifest_id, rulebook, form, counts)
    content = ManifestContent(
        id=manifest_id,
        account_id=account_id,
        sha256=sha256,
        form=form,
        format=manifest.format,
        listing=manifest.listing,
        rows=tally.rows,
        unreadable_rows=tally.unreadable,
        categories=sorted(tally.categories),
        repositories=sorted(tally.repositories),
        in_transit=sorted(tally.in_transit),
    )
    writer.add(content)
    writer.add(_judgement(manifest_id, rulebook, counts))
    return content


def judge_manifest(
    writer: Writer, manifest_id: UUID, rulebook: Rulebook, progress: Callable[[int], None]
) -> None:
    """Judge a stored list by another release; does nothing when that release has judged it.

    Args:
        writer: The transaction.
        manifest_id: The list.
        rulebook: The release that judges.
        progress: Told the last judged line after each chunk.
    """
    if writer.get(ManifestJudgement, (manifest_id, rulebook.release.digest)) is not None:
        return
    form = writer.get_one(ManifestContent, manifest_id).form
    counts, judge = Counts(), ListJudge(rulebook.judge, form)
    for records in stored_rows(writer, manifest_id):
        _add_findings(writer, manifest_id, rulebook, judge.records(records), counts, {})
        progress(records[-1][0])
    _judge_uniqueness(writer, manifest_id, rulebook, form, counts)
    writer.add(_judgement(manifest_id, rulebook, counts))


def _judgement(manifest_id: UUID, rulebook: Rulebook, counts: Counts) -> ManifestJudgement:
    return ManifestJudgement(
        manifest_id=manifest_id,
        release_digest=rulebook.release.digest,
        errors=counts.error,
        warnings=counts.warning,
        advice=counts.advice,
    )


def stored_rows(session: Session, manifest_id: UUID) -> Iterator[list[tuple[int, Record]]]:
    """The rows of a stored list by line, a chunk at a time."""
    after = 0
    while True:
        query = (
            select(ManifestRow.line, ManifestRow.record)
            .where(ManifestRow.manifest_id == manifest_id, col(ManifestRow.line) > after)
            .order_by(col(ManifestRow.line))
            .limit(CHUNK)
        )
        rows = [(line, record) for line, record in session.exec(query)]
        if not rows:
            return
        yield rows
        after = rows[-1][0]


def _add_findings(
    writer: Writer,
    manifest_id: UUID,
    rulebook: Rulebook,
    found: pl.DataFrame,
    counts: Counts,
    columns: Mapping[str, str],
) -> None:
    """Store findings; a field is named as the list names it, by its column."""
    for severity, times in found["severity"].value_counts().iter_rows():
        counts.count(severity, times)
    column = (
        pl.col("pointer").str.strip_prefix("/").replace_strict(columns, default=None, return_dtype=pl.String)
    )
    named = found.with_columns(column.alias("column"))
    copy_frame(
        writer, "manifest_finding", named, manifest_id=manifest_id, release_digest=rulebook.release.digest
    )


def _judge_uniqueness(
    writer: Writer, manifest_id: UUID, rulebook: Rulebook, form: str, counts: Counts
) -> None:
    """Find values that stand in more than one row; the first stays, each later one gets a finding."""
    for rule in rulebook.release.uniqueness(form):
        repeated = text(
            """
            INSERT INTO manifest_finding (manifest_id, release_digest, rule, severity, pointer, line)
            SELECT :manifest_id, :digest, :rule, :severity, '/' || :field, line FROM (
                SELECT line, row_number() OVER (PARTITION BY record ->> :field ORDER BY line) AS nth
                FROM manifest_row WHERE manifest_id = :manifest_id AND record ->> :field IS NOT NULL
            ) AS numbered WHERE nth > 1
            """
        )
        done = writer.execute(
            repeated,
            {
                "manifest_id": manifest_id,
                "digest": rulebook.release.digest,
                "rule": rule.id,
                "severity": rule.severity,
                "field": rule.field,
            },
        )
        counts.count(rule.severity, done.rowcount)  # type: ignore[attr-defined]  # an INSERT's result has it


def _copy_rows(writer: Writer, manifest_id: UUID, frame: pl.DataFrame, odd: Sequence[Row]) -> None:
    for part in frame.iter_slices(_SLICE):
        rows = pl.DataFrame({"line": part["line"], "record": json_objects(part.drop("line"))})
        copy_frame(writer, "manifest_row", rows, manifest_id=manifest_id)
    apart = [(line, orjson.dumps(record).decode()) for line, record in odd]
    rows = pl.DataFrame(apart, schema={"line": pl.Int64, "record": pl.String}, orient="row")
    copy_frame(writer, "manifest_row", rows, manifest_id=manifest_id)


def _add_accessions(writer: Writer, manifest_id: UUID, frame: pl.DataFrame, odd: Sequence[Row]) -> None:
    """Note under which accessions the list can be found; one that is too long is none."""
    found = set(frame["accession"].unique()) if "accession" in frame.columns else set()
    found |= {record.get("accession") for _, record in odd}
    fit = [each for each in found if isinstance(each, str) and len(each) <= LONGEST_ACCESSION]
    if fit:
        writer.connection().execute(_ADD_ACCESSIONS, {"manifest_id": manifest_id, "accessions": sorted(fit)})


_ADD_ACCESSIONS = text("""
    INSERT INTO manifest_accession (accession, manifest_id)
    SELECT unnest(CAST(:accessions AS varchar[])), :manifest_id
    ON CONFLICT DO NOTHING
""")


def _copy_faults(writer: Writer, manifest_id: UUID, faults: Iterable[Fault]) -> None:
    with cursor(writer) as sender, sender.copy(FAULTS) as copy:
        for code, line, column, facts in faults:
            copy.write_row((manifest_id, code, line, column, list(facts)))
