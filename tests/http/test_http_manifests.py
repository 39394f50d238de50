"""File lists over HTTP: what is stored, what is told, and that a bad upload leaves the last one alone."""

import json
import socket
import uuid
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from http_deployment import EXAMPLES, Deployment, keyed, open_draft, upload

from rules.engine.release import Release

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ROWS = [
    {"file_name": "A_1.fastq.gz", "repository": "gsa-human", "accession": "HRA009001", "run": "HRR1900001",
     "category": "wgs", "data_type": "raw", "file_format": "fastq", "size_bytes": 10,
     "md5": "d41d8cd98f00b204e9800998ecf8427e", "deposit": "deposited", "listing": "file_list"},
    {"file_name": "样本B.vcf.gz", "repository": "gvm", "accession": "GVM009001", "category": "wgs",
     "data_type": "variants", "file_format": "vcf", "size_bytes": 20,
     "md5": "c4ca4238a0b923820dcc509a6f75849b", "deposit": "deposited", "listing": "file_list"},
]  # fmt: skip
HEADER = [name for name in ROWS[0] if name != "listing"]


def delimited(separator: str, line_end: str = "\n") -> str:
    lines = [HEADER, *([str(row.get(name, "")) for name in HEADER] for row in ROWS)]
    return "".join(separator.join(line) + line_end for line in lines)


@pytest.fixture
def draft(zhang: httpx2.Client) -> str:
    return open_draft(zhang)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
@pytest.mark.parametrize(
    ("separator", "media_type"), [(",", "text/csv"), ("\t", "text/tab-separated-values")]
)
def test_a_table_in_any_encoding_is_stored_as_the_same_rows(
    zhang: httpx2.Client, draft: str, separator: str, media_type: str, encoding: str, line_end: str
) -> None:
    content = delimited(separator, line_end).encode(encoding)
    saved = upload(zhang, draft, content, media_type=f"{media_type}; charset=x")
    assert saved.status_code == 201, saved.text
    assert saved.json()["manifest"]["format"] == ("csv" if separator == "," else "tsv")
    assert stored(zhang, draft) == ROWS


def test_ndjson_is_stored_as_the_same_rows(zhang: httpx2.Client, draft: str) -> None:
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
    saved = upload(zhang, draft, content.encode(), media_type="application/x-ndjson")
    assert saved.json()["manifest"]["format"] == "ndjson"
    assert stored(zhang, draft) == ROWS


def test_the_same_list_in_four_formats_is_stored_as_the_same_rows(zhang: httpx2.Client, draft: str) -> None:
    seen = []
    formats = {
        "file-list.csv": "text/csv",
        "file-list.gb18030.csv": "text/csv",
        "file-list.ndjson": "application/x-ndjson",
        "file-list.xlsx": XLSX,
    }
    for revision, (name, media_type) in enumerate(formats.items()):
        saved = upload(zhang, draft, (EXAMPLES / name).read_bytes(), revision, media_type)
        assert (saved.status_code, saved.json()["findings"]["errors"]) == (201, 0), saved.text
        seen.append(stored(zhang, draft))
    assert seen[0] == seen[1] == seen[2] == seen[3]
    assert len(seen[0]) > 5


def test_of_gsa_humans_run_table_the_personal_columns_are_stored_nowhere(
    deployment: Deployment, zhang: httpx2.Client, draft: str
) -> None:
    text = (EXAMPLES / "gsa-human-run-table.csv").read_text("utf-8-sig")
    secret = uuid.uuid4().hex
    lines = text.splitlines()
    personal = ["individualName", "sampleDescription", "sampleName", "gender"]
    header = lines[0].split(",")
    row = dict.fromkeys(header, "") | {"studyAccession": "HRA009001", "runAccession": "HRR1900999",
        "dataName": f"{secret[:8]}.fastq.gz", "strategy": "WGS"}  # fmt: skip
    row |= dict.fromkeys(personal, f"张三-{secret}")
    lines.append(",".join(row[name] for name in header))
    saved = upload(zhang, draft, "\r\n".join(lines).encode("gb18030"))
    assert saved.status_code == 201, saved.text
    manifest = saved.json()["manifest"]
    assert (manifest["listing"], manifest["rows"]) == ("gsa_human_run_table", len(lines) - 1)
    assert stored(zhang, draft)[-1]["file_name"] == row["dataName"]
    for cell in (secret, "Male", "lung adenocarcinoma", "癌旁组织"):
        assert rows_holding(deployment, cell) == 0, cell
    assert rows_holding(deployment, row["dataName"]) > 0  # the search finds what is there


def test_columns_the_form_does_not_know_are_not_stored(
    deployment: Deployment, zhang: httpx2.Client, draft: str
) -> None:
    secret = uuid.uuid4().hex
    assert upload(zhang, draft, f"file_name,姓名\nA.bam,{secret}\n".encode()).status_code == 201
    assert rows_holding(deployment, secret) == 0


def test_bad_rows_are_told_by_line_and_column_and_the_good_ones_stay(
    zhang: httpx2.Client, draft: str
) -> None:
    good, bad = (
        delimited(",").splitlines()[1:],
        ['broken,"', "too,few", f"{'x' * 5000}{',' * (len(HEADER) - 1)}", f"N\0{',' * (len(HEADER) - 1)}"],
    )
    header = ",".join(HEADER)
    wrong_md5 = good[0].replace("A_1", "A_2").replace("d41d8cd9", "zzzzzzzz")
    content = "\n".join([header, good[0], *bad, wrong_md5, good[1], ""]).encode()
    saved = upload(zhang, draft, content)
    assert (saved.status_code, saved.json()["manifest"]["unreadable_rows"]) == (201, 4), saved.text
    assert [row["file_name"] for row in stored(zhang, draft)] == [
        "A_1.fastq.gz",
        "A_2.fastq.gz",
        "样本B.vcf.gz",
    ]
    found = findings(zhang, draft)
    unreadable = [(each["line"], each["column"]) for each in found if each["rule"].startswith("file.")]
    assert unreadable == [(3, None), (4, None), (5, "file_name"), (6, "file_name")]
    [md5] = [each for each in found if each["line"] == 7]
    assert (md5["column"], md5["pointer"]) == ("md5", "/md5")
    assert "zzzzzzzz" not in json.dumps(found)


def test_a_name_or_checksum_that_is_there_twice_is_found(zhang: httpx2.Client, draft: str) -> None:
    lines = delimited(",").splitlines()
    other_name = lines[1].replace("A_1.", "A_2.")
    other_md5 = lines[2].replace("c4ca4238", "00000000")
    upload(zhang, draft, "\n".join([*lines, other_name, other_md5]).encode())
    twice = [(each["rule"], each["line"]) for each in findings(zhang, draft) if "unique" in each["rule"]]
    assert sorted(twice) == [("file-name-unique", 5), ("md5-unique", 4)]


def test_a_new_list_replaces_the_one_before(zhang: httpx2.Client, draft: str) -> None:
    assert upload(zhang, draft, delimited(",").encode()).json()["revision"] == 1
    replaced = upload(zhang, draft, b"file_name\nnew.bam\n", 1)
    assert (replaced.json()["revision"], replaced.json()["manifest"]["rows"]) == (2, 1)
    assert [row["file_name"] for row in stored(zhang, draft)] == ["new.bam"]


def test_a_list_of_no_rows_is_saved_and_told(zhang: httpx2.Client, draft: str) -> None:
    saved = upload(zhang, draft, b"file_name,md5\n")
    assert (saved.status_code, saved.json()["manifest"]["rows"]) == (201, 0)
    assert "manifest-not-empty" in {remark["rule"] for remark in saved.json()["remarks"]}


NOT_LISTS: dict[str, tuple[bytes, str, int, str]] = {
    "nothing": (b"", "text/csv", 422, "unreadable_manifest"),
    "blank lines": (b"\r\n \n\n", "text/csv", 422, "unreadable_manifest"),
    "no known column": (b"zhang san,13800138000\n1,2\n", "text/csv", 422, "unreadable_manifest"),
    "a PDF": (b"%PDF-1.7\n" + b"x" * 100, "text/csv", 422, "unreadable_manifest"),
    "a PNG": (b"\x89PNG\r\n\x1a\n", XLSX, 422, "unreadable_manifest"),
    "gzip": (b"\x1f\x8b\x08\x00" + b"\0" * 50, "text/csv", 422, "unreadable_manifest"),
    "a web page": (b"<!doctype html><title>13800138000</title>", "text/csv", 422, "unreadable_manifest"),
    "CSV named XLSX": (b"file_name\nA.bam\n", XLSX, 422, "unreadable_manifest"),
    "CSV named NDJSON": (b"file_name\nA.bam\n", "application/x-ndjson", 422, "unreadable_manifest"),
    "XLSX named CSV": ((EXAMPLES / "file-list.xlsx").read_bytes(), "text/csv", 422, "unreadable_manifest"),
    "half an XLSX": ((EXAMPLES / "file-list.xlsx").read_bytes()[:2000], XLSX, 422, "unreadable_manifest"),
    "a JSON array": (b'[{"file_name": "A.bam"}]', "application/x-ndjson", 422, "unreadable_manifest"),
    "broken JSON": (b'{"file_name": 13800138000', "application/x-ndjson", 422, "unreadable_manifest"),
    "two encodings": ("file_name\n样本".encode() + b"\xff\xfe\xff\n", "text/csv", 422, "unreadable_manifest"),
    "one column twice": (b"file_name,file_name\nA,B\n", "text/csv", 422, "unreadable_manifest"),
    "plain text type": (b"file_name\nA.bam\n", "text/plain", 415, "unsupported_media_type"),
    "JSON type": (b"{}", "application/json", 415, "unsupported_media_type"),
    "a form": (b"--x\r\n", "multipart/form-data; boundary=x", 415, "unsupported_media_type"),
    "no type": (b"file_name\nA.bam\n", "", 415, "unsupported_media_type"),
}


@pytest.mark.parametrize("case", NOT_LISTS)
def test_what_is_no_list_is_refused_in_both_languages_and_the_list_before_stays(
    deployment: Deployment, zhang: httpx2.Client, case: str
) -> None:
    content, media_type, status, problem = NOT_LISTS[case]
    draft = open_draft(zhang)
    saved = upload(zhang, draft, delimited(",").encode()).json()
    counted = "SELECT (SELECT count(*) FROM manifest), (SELECT count(*) FROM manifest_row), "
    counted += "(SELECT count(*) FROM manifest_fault), (SELECT count(*) FROM operation)"
    before = deployment.query(counted)
    details = set()
    for language in ("zh", "en"):
        with deployment.account("zhang", language) as account:
            refused = upload(account, draft, content, 1, media_type)
        assert (refused.status_code, refused.json()["type"]) == (status, f"/problems/{problem}"), refused.text
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert "13800138000" not in refused.text
        details.add(refused.json()["detail"])
    assert len(details) == 2
    assert deployment.query(counted) == before
    step = zhang.get(f"/v1/backups/{draft}/steps/data-files").json()
    assert (step["revision"], step["manifest"]) == (1, saved["manifest"])
    assert stored(zhang, draft) == ROWS


def test_a_list_beyond_the_limits_is_refused_and_the_list_before_stays(
    deployment: Deployment, zhang: httpx2.Client, draft: str, limited: dict[str, int]
) -> None:
    assert upload(zhang, draft, delimited(",").encode()).status_code == 201
    row = b"f%07d.bam\n"
    rows = b"file_name\n" + b"".join(row % n for n in range(limited["manifest_rows_max"] + 1))
    too_many = upload(zhang, draft, rows, 1)
    assert (too_many.status_code, too_many.json()["type"]) == (422, "/problems/too_many_rows")
    assert too_many.json()["limit"] == limited["manifest_rows_max"]
    for content in (b"x" * (limited["manifest_bytes_max"] + 1), endless(limited["manifest_bytes_max"])):
        too_large = upload(zhang, draft, content, 1)
        assert (too_large.status_code, too_large.json()["limit"]) == (413, limited["manifest_bytes_max"])
    assert stored(zhang, draft) == ROWS


def test_an_upload_that_breaks_off_leaves_nothing_behind(
    deployment: Deployment, zhang: httpx2.Client, draft: str
) -> None:
    assert upload(zhang, draft, delimited(",").encode()).status_code == 201
    before = deployment.query("SELECT count(*) FROM operation")
    headers = keyed(revision=1) | {"Content-Type": "text/csv", "Content-Length": "1000000"}
    headers |= {"Authorization": zhang.headers["Authorization"], "Host": "localhost"}
    lines = [f"POST /v1/backups/{draft}/steps/data-files/manifests HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection(("127.0.0.1", int(deployment.url.rpartition(":")[2]))) as connection:
        connection.sendall("\r\n".join([*lines, "", "file_name\nA.bam\n"]).encode())
    again = upload(zhang, draft, delimited(",").encode(), 1, key=headers["Idempotency-Key"])
    assert (again.status_code, again.json()["revision"]) == (201, 2)
    assert "Idempotency-Replayed" not in again.headers
    assert deployment.query("SELECT count(*) FROM operation")[0][0] == before[0][0] + 1


@pytest.fixture
def limited(deployment: Deployment, release: Release) -> Iterator[dict[str, int]]:
    """A release of small limits, in force for one test."""
    limits = {"manifest_rows_max": 1000, "manifest_bytes_max": 20_000, "form_bytes_max": 1000}
    documents = json.loads(release.canonical())
    documents["rulebook"]["version"] = deployment.free_version()
    documents["procedures/backup-creation"]["limits"] = limits
    deployment.publish(Release(documents))
    yield limits
    deployment.restore(release)


def endless(size: int) -> Iterator[bytes]:
    """A body whose length is not told beforehand."""
    for _ in range(size // 1000 + 2):
        yield b"x" * 1000


def stored(account: httpx2.Client, backup: str) -> list[dict[str, Any]]:
    """The rows of a backup's list, without their lines."""
    path = f"/v1/backups/{backup}/steps/data-files/data-files"
    rows = account.get(path, params={"page_size": 1000}).json()["data_files"]
    return [{name: value for name, value in row.items() if name != "line"} for row in rows]


def findings(account: httpx2.Client, backup: str) -> list[dict[str, Any]]:
    query: dict[str, str | int] = {"step": "data-files", "page_size": 1000}
    found: list[dict[str, Any]] = account.get(f"/v1/backups/{backup}/findings", params=query).json()[
        "findings"
    ]
    return found


def rows_holding(deployment: Deployment, text: str) -> int:
    """Rows of any table in which a text stands in clear."""
    tables = deployment.query(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    )
    return sum(
        deployment.query(f'SELECT count(*) FROM "{table}" AS t WHERE strpos(t::text, %s) > 0', text)[0][0]
        for (table,) in tables
        if table != "rulebook_release"
    )
