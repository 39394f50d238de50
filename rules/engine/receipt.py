"""Receipts: what was judged, by what, with which outcome; equal for equal input, whatever its order."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, NamedTuple

from rules.engine.judge import Judge, Verdict, verdict
from schemas.findings import Finding

ENGINE = f"hgrip {version('hgrip')}, jsonschema-rs {version('jsonschema-rs')}"
"""What compiled and asked the rules."""

Record = Mapping[str, Any]


class Remark(NamedTuple):
    """What one rule said (规则与参数): its id, the place it speaks of, and of how many records."""

    rule: str
    pointer: str
    times: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """The account of one decision (判定凭据): no prose, no time, no value.

    Attributes:
        release: Digest of the release that judged.
        engine: What asked it.
        subject: What was judged: a form, ``manifest`` or ``submission``.
        input: SHA-256 of the canonical JSON of the record; of a list, of its records' sorted digests.
        verdict: Accepted or refused.
        remarks: What the rules said, sorted.
    """

    release: str
    engine: str
    subject: str
    input: str
    verdict: Verdict
    remarks: tuple[Remark, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the receipt's canonical JSON."""
        return hashlib.sha256(_canonical(asdict(self))).hexdigest()


def receipt(judge: Judge, subject: str, record: Record, findings: Iterable[Finding] | None = None) -> Receipt:
    """Judges one record and accounts for it.

    Args:
        judge: The release that judges.
        subject: A form, ``manifest`` or ``submission``.
        record: What is judged.
        findings: What the judge has said of it; None: it is asked.

    Raises:
        KeyError: There is no such subject.
        ValueError: The record is not JSON.
    """
    findings = judge.judge(subject, record) if findings is None else list(findings)
    remarks = Counter((finding.rule, finding.pointer) for finding in findings)
    return _receipt(judge, subject, _digest(record).hex(), verdict(findings), remarks)


def list_receipt(judge: Judge, subject: str, records: Iterable[Record]) -> Receipt:
    """Judges the rows of a list and accounts for all of them; 32 bytes are kept of each.

    Rules about the uniqueness among rows are the store's and not part of it.

    Raises:
        KeyError: There is no such subject.
        ValueError: A record is not JSON.
    """
    digests: list[bytes] = []
    remarks: Counter[tuple[str, str]] = Counter()
    refused = False
    for _, record, findings in judge.judge_rows(subject, enumerate(records)):
        digests.append(_digest(record))
        remarks.update((finding.rule, finding.pointer) for finding in findings)
        refused = refused or verdict(findings) == "refused"
    whole = hashlib.sha256(b"".join(sorted(digests))).hexdigest()
    return _receipt(judge, subject, whole, "refused" if refused else "accepted", remarks)


def _receipt(
    judge: Judge, subject: str, digest: str, outcome: Verdict, remarks: Mapping[tuple[str, str], int]
) -> Receipt:
    said = sorted(Remark(*place, times) for place, times in remarks.items())
    return Receipt(judge.release.digest, ENGINE, subject, digest, outcome, tuple(said))


def _digest(record: Record) -> bytes:
    return hashlib.sha256(_canonical(record)).digest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
