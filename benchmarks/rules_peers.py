"""``make bench-rules``: the engine beside other validators, on the same records, losers included.

Installs the others into ``var/peers`` and writes ``docs/reference/benchmarks-rules.md``.
``python -m benchmarks.rules_peers [count …]`` measures only lists of these lengths.
"""

import os
import platform
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import jsonschema
import orjson

from benchmarks.engine_columns import SUBJECT, seconds
from benchmarks.engine_records import Kind, Record, hand_written, records
from benchmarks.rules_rewritten import by_cel, by_pydantic, by_zen
from embedded.platform import REPOSITORY
from rules.engine.forms import without_annotations
from rules.engine.gate import gate_schema
from rules.engine.judge import Judge, validator
from rules.engine.load import load_rulebook
from rules.engine.release import Release
from rules.engine.rule import schema_of
from rules.engine.table import CHUNK, DecisionTable, judge_columns
from store.manifests import TOGETHER

COUNTS = (1_000, 10_000, 100_000, 1_000_000)
PEERS = REPOSITORY / "var/peers"
PAGE = REPOSITORY / "docs/reference/benchmarks-rules.md"
SLOW = 1_000
"""Records that peers are asked about at most which would need minutes for a million."""
ROUNDS = 3
"""Of lists of up to 100,000 records; of a longer one, one."""
PYTHON_PEERS = ("fastjsonschema==2.22.3", "zen-engine==2.1.3", "common-expression-language==0.10.0")
AJV_VERSION = "8.20.0"

AJV = """
const Ajv = require("ajv/dist/2020"); const lines = require("fs").readFileSync(0, "utf8").split("\\n");
const ajv = new Ajv({strict: false, validateFormats: false, unicodeRegExp: true});
const accepts = ajv.compile(JSON.parse(lines[0]));
const records = lines.slice(1).filter(Boolean).map(line => JSON.parse(line));
for (let round = 0; round < Number(process.argv[1]); round++) {
  const start = process.cpuUsage(); let refused = 0;
  for (const record of records) if (!accepts(record)) refused++;
  const used = process.cpuUsage(start); console.log((used.user + used.system) / 1e6, refused);
}
"""


class Peer(NamedTuple):
    """One way to judge: CPU seconds and how many it refuses; slow ones are spared long lists."""

    name: str
    judge: Callable[[Sequence[Record]], tuple[float, int]]
    slow: bool = False


def main(counts: Sequence[int]) -> None:
    """Measure, print, write."""
    absent = install()
    release = load_rulebook(REPOSITORY / "rules")
    lines = []
    kinds: tuple[Kind, ...] = ("typical", "worst")
    for kind in kinds:
        for count in counts:
            several = list(records(release, kind, count))
            for line in compared(release, several, first=count == min(counts)):
                lines.append(f"| {kind} | {line} |")
                print(lines[-1], flush=True)
    memory = [f"| {count:,} | {peak_apart(count):.0f} |" for count in (50_000, 1_000_000)]
    print("\n".join(memory))
    PAGE.write_text(page(lines, memory, absent), "utf-8")


def install() -> list[str]:
    """Get the peers into a folder of their own.

    Returns:
        Those that could not be had, also said aloud.
    """
    target = PEERS / "python"
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--upgrade"]
    pip += ["--target", str(target)]
    npm = ["npm", "install", "--silent", "--prefix", str(PEERS), f"ajv@{AJV_VERSION}"]
    wanted = {name: [*pip, name] for name in PYTHON_PEERS} | {f"ajv {AJV_VERSION}": npm}
    PEERS.mkdir(parents=True, exist_ok=True)
    absent = []
    for name, command in wanted.items():
        if not shutil.which(command[0]) or subprocess.run(command, check=False).returncode:
            absent.append(name)
            print(f"LEFT OUT: {name} could not be installed.", flush=True)
    sys.path.append(str(target))
    return absent


def compared(release: Release, several: Sequence[Record], *, first: bool) -> Iterator[str]:
    """A line for each way to judge; slow ones are asked only about the first, shortest list."""
    floor = counted(hand_written(release))
    accepts = Judge(release)
    wrong = sum(any(f.severity == "error" for f in accepts.judge(SUBJECT, record)) for record in several)
    for peer in peers(release):
        if peer.slow and not first:
            continue
        asked = several[:SLOW] if peer.slow else several
        rounds = [(floor(asked)[0], *peer.judge(asked)) for _ in range(times(asked))]
        ratio = median(took / floor_took for floor_took, took, _ in rounds)
        micros = 1e6 * median(took for _, took, _ in rounds) / len(asked)
        told = f"{rounds[0][2]:,}" if len(asked) == len(several) else f"of the first {len(asked):,}"
        yield f"{len(several):,} | {peer.name} | {ratio:.2f} | {micros:.2f} | {told} ({wrong:,} are wrong)"


def times(several: Sequence[Record]) -> int:
    """Rounds of a list."""
    return ROUNDS if len(several) <= 100_000 else 1


def peers(release: Release) -> Iterator[Peer]:
    """Everything that could be had."""
    judge, form = Judge(release), release.subject_form(SUBJECT)
    rules = [rule for rule in release.schema_rules(SUBJECT) if rule.severity == "error"]
    authored = without_annotations(schema_of(form, rules))
    yield Peer("look-up in plain Python: yes or no", counted(hand_written(release)))
    yield Peer("**by column, every finding**", by_column(judge))
    yield Peer("**row by row, every finding**", by_row(judge))
    yield Peer("jsonschema-rs, branching: yes or no", counted(validator(gate_schema(form, rules)).is_valid))
    yield Peer("jsonschema-rs, one if/then per rule: yes or no", counted(validator(authored).is_valid))
    yield Peer("pydantic, rewritten: yes or no", counted(by_pydantic(release)))
    if (PEERS / "node_modules/ajv").is_dir():
        yield Peer("ajv (Node), one if/then per rule: yes or no", by_ajv(authored))
    if find_spec("fastjsonschema"):
        draft7 = {key: value for key, value in authored.items() if key != "$schema"}
        compiled = quietly(import_module("fastjsonschema").compile(draft7))
        yield Peer("fastjsonschema, one if/then per rule: yes or no", counted(compiled), slow=True)
    slowest = jsonschema.Draft202012Validator(authored).is_valid
    yield Peer("jsonschema, one if/then per rule: yes or no", counted(slowest), slow=True)
    if find_spec("zen"):
        yield Peer(
            "zen-engine, rewritten as a decision table: yes or no", counted(by_zen(release)), slow=True
        )
    if find_spec("cel"):
        yield Peer("CEL (Rust), rewritten: yes or no", counted(by_cel(release)), slow=True)


def peak_apart(count: int) -> float:
    """Peak memory in MiB of a process that judges so many records by column."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_peak, count).result()


def _peak(count: int) -> float:
    release = load_rulebook(REPOSITORY / "rules")
    rows = enumerate(records(release, "worst", count))
    deque(judge_columns(Judge(release), SUBJECT, rows, TOGETHER), maxlen=0)
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def counted(accepts: Callable[[Any], Any]) -> Callable[[Sequence[Record]], tuple[float, int]]:
    """Time and refusals of something that says yes or no."""

    def judge(several: Sequence[Record]) -> tuple[float, int]:
        answers: list[Any] = []
        took = seconds(lambda: answers.extend(map(accepts, several)))
        return took, sum(not answer for answer in answers)

    return judge


def quietly(check: Callable[[Any], Any]) -> Callable[[Any], bool]:
    """Yes or no from something that raises."""

    def accepts(record: Any) -> bool:
        try:
            check(record)
        except ValueError:  # what fastjsonschema raises descends from it
            return False
        return True

    return accepts


def by_row(judge: Judge) -> Callable[[Sequence[Record]], tuple[float, int]]:
    """The engine, as an upload is judged."""

    def asked(several: Sequence[Record]) -> tuple[float, int]:
        rows = list(enumerate(several))
        took = seconds(lambda: deque(judge.judge_rows(SUBJECT, rows), maxlen=0))
        refused = sum(
            any(f.severity == "error" for f in said) for _, _, said in judge.judge_rows(SUBJECT, rows)
        )
        return took, refused

    return asked


def by_column(judge: Judge) -> Callable[[Sequence[Record]], tuple[float, int]]:
    """The engine, on stored columns, a chunk at a time."""

    def asked(several: Sequence[Record]) -> tuple[float, int]:
        table, took, refused = DecisionTable(judge, SUBJECT), 0.0, 0
        for start in range(0, len(several), CHUNK):
            frame, _ = table.frame(enumerate(several[start : start + CHUNK]))
            took += seconds(partial(table.judge, frame))
            found = table.judge(frame)
            refused += found.filter(found["severity"] == "error")["line"].n_unique()
        return took, refused

    return asked


def by_ajv(schema: dict[str, Any]) -> Callable[[Sequence[Record]], tuple[float, int]]:
    """Another language's fastest, in a process of its own; reading the records is not counted."""

    def asked(several: Sequence[Record]) -> tuple[float, int]:
        lines = b"\n".join([orjson.dumps(schema), *map(orjson.dumps, several)])
        command = ["node", "--max-old-space-size=4096", "-e", AJV, str(times(several))]
        done = subprocess.run(command, input=lines, capture_output=True, check=True, cwd=PEERS)
        rounds = [line.split() for line in done.stdout.decode().splitlines()]
        return median(float(took) for took, _ in rounds), int(rounds[0][1])

    return asked


def page(lines: Sequence[str], memory: Sequence[str], absent: Sequence[str]) -> str:
    """The page, whole."""
    models = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    cpu = models[0].partition(":")[2].strip() if models else platform.machine()
    versions = ", ".join(
        f"{name} {version(name)}" for name in ("jsonschema", "jsonschema-rs", "pydantic", "polars")
    )
    missing = f"\nCould not be installed, and left out: {', '.join(absent)}.\n" if absent else ""
    return (
        f"""# How fast rules are judged

Written by `make bench-rules`. CPU time of all threads; ratios to a look-up in plain Python over the same
records in the same round, median of {ROUNDS} rounds, of one for a million records. 5 % of the records are
faulty. *Typical*: each file has its own name and checksum, few accessions. *Worst*: each accession differs,
too.

- The engine names every rule and place. All others only say yes or no, which is less work.
- Columns are judged as they are stored; making columns of records is not counted. For short lists columns do
  not pay: the product judges those row by row.
- The look-up knows no suffixes and gives no reasons; the *rewritten* check what it checks, each in its own
  language.
- Those that would need minutes for a million records are asked about {SLOW:,} only.

{cpu}, {os.cpu_count()} cores, load average {os.getloadavg()[2]:.1f}, Python {platform.python_version()};
{versions}, {", ".join(name.replace("==", " ") for name in PYTHON_PEERS)}, ajv {AJV_VERSION}.
{missing}
| list | records | judged by | ratio | µs per record | refused |
| --- | ---: | --- | ---: | ---: | ---: |
"""
        + "\n".join(lines)
        + f"""

Peak memory of a process that judges the worst list by column, {TOGETHER:,} rows at a time as an
upload is judged, engine and all:

| records | MiB |
| ---: | ---: |
"""
        + "\n".join(memory)
        + "\n"
    )


if __name__ == "__main__":
    main([int(count) for count in sys.argv[1:]] or COUNTS)
