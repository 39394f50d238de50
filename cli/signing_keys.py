"""``hgrip rules keys``: who may sign releases."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Annotated

import typer

import settings as configuration
from cli.terminal import ExitCode, console, fail
from rules.engine.signing import Role, Signer, Signers, SigningKey
from schemas.texts import Text
from store.signers import write_private

app = typer.Typer(no_args_is_help=True, help="签名密钥 / Signing keys")


@app.command()
def new(
    id: Annotated[str, typer.Option(help="代号，勿用姓名 / A handle, not a person's name")],  # noqa: A002
    role: Annotated[Role, typer.Option(help="起草人或审批人 / Proposes, or approves and schedules")],
    out: Annotated[Path | None, typer.Option(help="私钥文件 / File of the private key")] = None,
) -> None:
    """生成一对签名密钥，私钥仅本人可读 / Make a key pair; only you can read the private half."""
    path = out or Path(f"{id}.key.json")
    try:
        key = SigningKey.generate(id)
        entry = Signers(signers={id: Signer(public_key=key.public_key, roles=(role,))})
        write_private(key, path)
    except FileExistsError:
        fail(
            ExitCode.CONFLICT,
            Text(f"文件已存在，不会覆盖：{path}", f"There is a file already, left as it is: {path}"),
        )
    except ValueError:
        fail(
            ExitCode.USAGE,
            Text(
                "代号须为 2 至 40 个小写字母、数字或连字符，以字母开头",
                "An id has 2 to 40 lower-case letters, digits or hyphens, a letter first",
            ),
        )
    console.print(
        f"私钥已写入 {path}（0600），请妥善保管 / The private key is in {path} (0600): keep it to yourself",
        "请管理员把以下条目加入 HGRIP_RULE_SIGNERS 文件 / "
        "Ask the operator to add this entry to the file HGRIP_RULE_SIGNERS:",
        sep="\n",
        markup=False,
    )
    typer.echo(json.dumps(entry.model_dump(mode="json"), indent=2))


@app.command(name="list")
def list_() -> None:
    """列出受信任的公钥 / List the trusted keys."""
    for name, signer in Signers.load(configuration.load().rule_signers).signers.items():
        retired = f"  {signer.retired_on} 停用 / retired" if signer.retired_on else ""
        console.print(f"{name}  {'、'.join(signer.roles)}  {fingerprint(signer)}{retired}", markup=False)


def fingerprint(signer: Signer) -> str:
    """What people compare over the telephone: as OpenSSH writes it."""
    digest = hashlib.sha256(signer.public_key).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"
