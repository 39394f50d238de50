"""``hgrip audit verify | export | head | prove``: the audit trail, checked by whoever has a copy of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from joserfc.jwk import KeySet
from pydantic import ValidationError
from sqlmodel import Session

import settings as configuration
from audit.exchange import exported, verified
from audit.heads import HeadError, TreeHead, key_set, read_head
from audit.proofs import ProofError, check
from audit.records import moment
from audit.trail import SENTENCES, Fault, Findings
from cli.terminal import AsJson, ExitCode, Workbench, console, fail, print_json
from schemas.http.audit import InclusionProof
from schemas.texts import Text
from store import trail
from store.answer_keys import AnswerKeys
from store.database import connect, reading
from store.sealing import sealed_rows

app = typer.Typer(cls=Workbench, no_args_is_help=True, help="审计记录 / Audit trail")

MOST_SHOWN = 100
"""Faults that are printed; with ``--json`` all are."""
_LONGEST_ID = 18
"""Digits of the longest event id."""

KeysOption = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        help="平台公钥，取自 /.well-known/jwks.json；默认用本机设置 / Public keys; default: ours",
    ),
]
FileOption = Annotated[
    Path | None, typer.Option("--file", help="导出的文件，不连数据库 / An exported file, offline")
]
HeadsOption = Annotated[
    Path | None,
    typer.Option("--heads", help="另外保存的签名树头，每行一个 / Heads kept elsewhere, one per line"),
]


@app.command()
def verify(
    file: FileOption = None, keys: KeysOption = None, heads: HeadsOption = None, as_json: AsJson = False
) -> None:
    """逐条核对整个审计记录 / Check every row of the trail; exit code 1 when anything is wrong."""
    trusted = _keys(keys)
    known = _kept(heads, trusted)
    if file is not None:
        with file.open("rb") as lines:
            findings = verified(lines, trusted, known)
    else:
        with _snapshot() as reader:
            findings = trail.verified(reader, trusted, known)
    if as_json:
        print_json({**findings._asdict(), "faults": [_told(fault) for fault in findings.faults]})
    else:
        _print(findings)
    raise typer.Exit(ExitCode.FOUND if findings.faults else ExitCode.OK)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="写入此文件；已有的不覆盖 / A new file to write")],
) -> None:
    """把整个记录连同签名树头导出 / Write the whole trail and its signed heads to a file."""
    try:
        opened = file.open("xb")
    except FileExistsError:
        fail(ExitCode.CONFLICT, Text(f"文件已存在：{file}", f"the file is there already: {file}"))
    with opened, _snapshot() as reader:
        signed = [head.signed for head in trail.heads(reader)]
        opened.writelines(exported(signed, sealed_rows(reader)))
    console.print(f"已导出到 {file} / exported", markup=False)


@app.command()
def head(
    since: Annotated[
        int | None,
        typer.Option(
            min=1, help="先前树头的大小：证明只增未改 / Size of an older head: prove nothing was rewritten"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """最新的签名树头；请另外保存 / The newest signed tree head; keep it somewhere else."""
    with _snapshot() as reader:
        newest = next(iter(trail.heads(reader, limit=1)), None)
        if newest is None:
            _no_head()
        try:
            path = trail.continuation(reader, since, newest.size) if since else None
        except ValueError:
            what = Text("先前的树头比最新的还大。", "the older head is larger than the newest.")
            fail(ExitCode.CONFLICT, what)
    said = {"size": newest.size, "root": newest.root.hex(), "signed_at": moment(newest.signed_at)}
    if as_json:
        print_json({**said, "jws": newest.signed, **({"path": path} if since else {})})
        return
    typer.echo(newest.signed)
    for sibling in path or ():
        typer.echo(sibling)


@app.command()
def prove(
    what: Annotated[
        str | None, typer.Argument(help="备份编号，或事件编号 / A backup number, or the id of an event")
    ] = None,
    proof: Annotated[
        Path | None,
        typer.Option("--check", help="核对证明或 JSON 备份证明 / A proof or a certificate"),
    ] = None,
    keys: KeysOption = None,
) -> None:
    """给出或核对“在记录中”的证明 / Print the proof that an event is in the trail, or check one."""
    if (what is None) == (proof is None):
        neither = Text("请给出编号，或以 --check 给出文件。", "give a number, or a file by --check.")
        fail(ExitCode.USAGE, neither)
    if proof is not None:
        _check(proof, _keys(keys))
    elif what is not None:
        with _snapshot() as reader:
            print_json(_proof(reader, what).model_dump(mode="json"))


def _proof(reader: Session, what: str) -> InclusionProof:
    backup = trail.backup_of_number(reader, what)
    event_id = trail.event_of_backup(reader, backup) if backup else None
    if event_id is None and what.isascii() and what.isdigit() and len(what) <= _LONGEST_ID:
        event_id = int(what)
    if event_id is None:
        fail(ExitCode.NOT_FOUND, Text("没有这个备份编号或事件。", "no such backup number or event."))
    found = trail.prove(reader, event_id)
    if found is None:
        _no_head()
    return found


def _check(file: Path, keys: KeySet) -> None:
    try:
        said = json.loads(file.read_bytes())
        proof = InclusionProof.model_validate(said.get("audit", said))
        found = check(proof, keys)
    except (ValidationError, ValueError, AttributeError):
        fail(ExitCode.NOT_FOUND, Text("文件里没有证明。", "there is no proof in the file."))
    except HeadError:
        fail(ExitCode.FOUND, SENTENCES["head_unreadable"])
    except ProofError:
        what = Text(
            "证明不成立：事件与签名树头不符。", "it proves nothing: the event is not under the signed head."
        )
        fail(ExitCode.FOUND, what)
    console.print(
        f"证明成立：第 {proof.seq} 条在签名树头（{found.size} 条，{found.at}）之下 / "
        f"proven: entry {proof.seq} is under the head of {found.size} entries",
        markup=False,
    )


@contextmanager
def _snapshot() -> Iterator[Session]:
    engine = connect(configuration.load().database_url.get_secret_value(), pool_size=1)
    try:
        with reading(engine) as reader:
            yield reader
    finally:
        engine.dispose()


def _keys(file: Path | None) -> KeySet:
    try:
        if file is None:
            return key_set({"keys": AnswerKeys.load(configuration.load().answer_keys).published()})
        return key_set(json.loads(file.read_bytes()))
    except (HeadError, ValueError):
        fail(
            ExitCode.DOWN,
            Text(
                "没有公钥：请以 --keys 给出 /.well-known/jwks.json 的内容，或设置 HGRIP_ANSWER_KEYS。",
                "no public keys: give what /.well-known/jwks.json says by --keys, or set HGRIP_ANSWER_KEYS.",
            ),
        )


def _kept(file: Path | None, keys: KeySet) -> list[TreeHead]:
    lines = file.read_text("ascii", "replace").split() if file is not None else []
    try:
        return [read_head(line, keys) for line in lines]
    except HeadError:
        fail(ExitCode.FOUND, SENTENCES["head_unreadable"])


def _no_head() -> NoReturn:
    fail(
        ExitCode.NOT_FOUND,
        Text(
            "尚无签名树头覆盖它；树头每小时签署一次，请稍后再试。",
            "no signed tree head covers it yet; one is signed every hour, so try again later.",
        ),
    )


def _print(findings: Findings) -> None:
    for fault in findings.faults[:MOST_SHOWN]:
        words = SENTENCES[fault.code]
        console.print(f"{_where(fault)}  {words.zh} / {words.en}", style="red", markup=False)
    more = len(findings.faults) - MOST_SHOWN
    if more > 0:
        console.print(f"……另有 {more} 处 / and {more} more", style="red")
    console.print(f"{findings.size:>10,}  条已封存 / sealed events")
    console.print(
        f"{min(findings.covered, findings.size):>10,}  条在签名树头之下 / of them under a signed head"
    )
    if not findings.faults:
        console.print("完整无误 / nothing is wrong", style="green")
    if findings.size > findings.covered:
        console.print(
            "树头之外的尾部若被整段删去，无从发现，直到下一个树头 / "
            "a tail cut off above the newest head would not show until the next is signed",
            style="dim",
        )


def _where(fault: Fault) -> str:
    place = "" if fault.seq is None else f"#{fault.seq}"
    return place if fault.event_id is None else f"{place} 事件/event {fault.event_id}".lstrip()


def _told(fault: Fault) -> dict[str, Any]:
    words = SENTENCES[fault.code]
    return {**fault._asdict(), "zh": words.zh, "en": words.en}
