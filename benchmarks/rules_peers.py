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
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import jsonschema
import orjson

from benchmarks.engine_columns import SUBJECT, seconds
from benchmarks.engine_records import Kind, Record, hand_written, records
from embedded.platform import REPOSITORY
from rules.engine.forms import without_annotations
from rules.engine.gate import gate_schema
from rules.engine.judge import Judge, validator
from rules.engine.load import load_rulebook
from rules.engine.release import Release
from rules.engine.rule import schema_of
from rules.engine.table import CHUNK, DecisionTable

COUNTS = (1_000, 10_000, 100_000, 1_000_000)
PEERS = REPOSITORY / "var/peers"
PAGE = REPOSITORY / "docs/reference/benchmarks-rules.md"
SLOW = 1_000
"""Peers that need minutes for a million are asked about so many records at most."""
ROUNDS = 3

AJV = """
const Ajv = require("ajv/dist/2020"); const lines = require("fs").readFileSync(0, "utf8").split("\\n");
const ajv = new Ajv({strict: false, validateFormats: false, unicodeRegExp: true});
const accepts = ajv.compile(JSON.parse(lines[0]));
const records = lines.slice(1).filter(Boolean).map(line => JSON.parse(line));
for (let round = 0; round < 3; round++) {
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
    install()
    release = load_rulebook(REPOSITORY / "rules")
    lines = []
    kinds: tuple[Kind, ...] = ("typical", "worst")
    for kind in kinds:
        for count in counts:
            several = list(records(release, kind, count))
            lines += [f"| {kind} | {count:,} | {line} |" for line in compared(release, several)]
            print("\n".join(lines[-8:]), flush=True)
    PAGE.write_text(page(lines), "utf-8")


def install() -> None:
    """Get the peers into a folder of their own; what cannot be had is left out and named."""
    PEERS.mkdir(parents=True, exist_ok=True)
    target = PEERS / "python"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--target",
        str(target),
        "fastjsonschema",
    ]
    subprocess.run(pip, check=False)
    if shutil.which("npm"):
        subprocess.run(["npm", "install", "--silent", "--prefix", str(PEERS), "ajv"], check=False)
    sys.path.append(str(target))


def compared(release: Release, several: Sequence[Record]) -> Iterator[str]:
    """A line for each way to judge."""
    floor = hand_written(release)
    accepts = Judge(release)
    wrong = sum(any(f.severity == "error" for f in accepts.judge(SUBJECT, record)) for record in several)
    for peer in peers(release):
        asked = several[:SLOW] if peer.slow else several
        base = counted(floor)
        rounds = [(base(asked)[0], *peer.judge(asked)) for _ in range(ROUNDS)]
        ratio = median(took / floor_took for floor_took, took, _ in rounds)
        micros = 1e6 * median(took for _, took, _ in rounds) / len(asked)
        told = f"{rounds[0][2]:,}" if len(asked) == len(several) else f"of the first {len(asked):,}"
        yield f"{peer.name} | {ratio:.2f} | {micros:.2f} | {told} ({wrong:,} are wrong)"


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
    if shutil.which("node") and (PEERS / "node_modules/ajv").is_dir():
        yield Peer("ajv (Node), one if/then per rule: yes or no", by_ajv(authored))
    if (PEERS / "python/fastjsonschema").is_dir():
        compile_ = import_module("fastjsonschema").compile
        draft7 = {key: value for key, value in authored.items() if key != "$schema"}
        yield Peer(
            "fastjsonschema, one if/then per rule: yes or no", counted(quietly(compile_(draft7))), slow=True
        )
    slowest = jsonschema.Draft202012Validator(authored).is_valid
    yield Peer("jsonschema, one if/then per rule: yes or no", counted(slowest), slow=True)


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
        command = ["node", "--max-old-space-size=4096", "-e", AJV]
        done = subprocess.run(command, input=lines, capture_output=True, check=True, cwd=PEERS)
        rounds = [line.split() for line in done.stdout.decode().splitlines()]
        return median(float(took) for took, _ in rounds), int(rounds[0][1])

    return asked


def page(lines: Sequence[str]) -> str:
    """The page, whole."""
    models = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    cpu = models[0].partition(":")[2].strip() if models else platform.machine()
    return (
        f"""# How fast rules are judged

Written by `make bench-rules`. CPU time of all threads, ratios to a look-up in plain Python over the same
records in the same round, median of {ROUNDS} rounds; 5 % of the records are faulty. *Typical*: each file has
its own name and checksum, few accessions. *Worst*: each accession differs, too. Those who say only yes or no
do less than the engine, which names every rule and place. Columns are judged as they are stored; making
columns of records is not counted. The look-up knows no suffixes and gives no reasons. Peers that need minutes
for long lists are asked about the first {SLOW:,} records.

{cpu}, {os.cpu_count()} cores, Python {platform.python_version()}.

| list | records | judged by | ratio | µs per record | refused |
| --- | ---: | --- | ---: | ---: | ---: |
"""
        + "\n".join(lines)
        + """

Not measured: pydantic, zen-engine and CEL, which need the rules written a second time in their own language.
"""
    )


if __name__ == "__main__":
    main([int(count) for count in sys.argv[1:]] or COUNTS)
