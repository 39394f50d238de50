"""A list of 300,000 rows, all different, costs no more memory than a short one."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from raw_workbook import write_raw_workbook

ROOT = Path(__file__).parents[2]
ROWS = 300_000
BOUND_MB = 24
"""Far below one copy of the strings: 300,000 names and digests are 40 MB as Python objects."""

READ = """
import resource, sys
from pathlib import Path
from manifests.reader import open_manifest

def peak_mb(path):
    rows = sum(1 for _ in open_manifest(Path(path), None).rows())
    return rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

short, long = sys.argv[1:]
_, before = peak_mb(short)
rows, after = peak_mb(long)
print(rows, after - before)
"""


def table(rows: int) -> Iterator[list[str]]:
    yield ["file_name", "md5"]
    for number in range(rows):
        yield [f"sample{number:08d}_R1.fastq.gz", f"{number:032x}"]


def write(path: Path, form: str, rows: int) -> Path:
    match form:
        case "xlsx":
            write_raw_workbook(path, lambda: table(rows))
        case "ndjson":
            path.write_text(
                "".join(f'{{"file_name": "{name}", "md5": "{md5}"}}\n' for name, md5 in table(rows))
            )
        case _:
            path.write_text("".join(",".join(row) + "\n" for row in table(rows)))
    return path


@pytest.mark.parametrize("form", ["csv", "ndjson", "xlsx"])
def test_reading_takes_the_same_memory_at_any_length(tmp_path: Path, form: str) -> None:
    short = write(tmp_path / "short", form, 1_000)
    long = write(tmp_path / "long", form, ROWS)
    done = subprocess.run(
        [sys.executable, "-c", READ, short, long], cwd=ROOT, capture_output=True, text=True, check=True
    )
    rows, growth = done.stdout.split()
    assert int(rows) == ROWS + (form == "ndjson")
    assert float(growth) < BOUND_MB
