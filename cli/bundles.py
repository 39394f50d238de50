"""``hgrip rules export`` and ``verify``: a release for use and proof elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

import settings as configuration
from cli.releases import Named, reading_settings, told
from cli.signing_keys import fingerprint
from cli.terminal import console
from rules.engine.bundle import pack, schemas, unpack
from rules.engine.signing import Signers
from store.releases import find, proven


def export(
    named: Named, folder: Annotated[Path, typer.Argument(help="目标目录 / Folder to write to")]
) -> None:
    """导出 JSON Schema 与带签名的离线包 / Write the JSON Schemas and a signed bundle for offline use."""
    signers = Signers.load(configuration.load().rule_signers)
    with reading_settings() as reader:
        release = find(reader, named)
        signed, reason = proven(reader, release.digest, signers)
        if reason is not None:
            raise reason
    for name, content in schemas(release):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    bundle = folder / f"rulebook-{release.version}.zip"
    bundle.write_bytes(pack(release, signed, signers))
    console.print(f"已写入 / Written: {folder / 'schemas'}, {bundle}", markup=False)


def verify(
    bundle: Annotated[Path, typer.Argument(help="离线包 / The bundle", exists=True, dir_okay=False)],
    signers: Annotated[
        Path | None, typer.Option(help="你所信任的公钥文件 / File of the keys that you trust")
    ] = None,
) -> None:
    """离线验证：内容、签名、四眼、日期 / Prove a bundle offline: content, signatures, four eyes, dates."""
    trusted = Signers.load(signers) if signers else None
    found = unpack(bundle.read_bytes(), trusted)
    console.print(f"{found.release.version}  SHA-256 {found.release.digest}", markup=False)
    for act, _ in found.acts:
        console.print(told(act), markup=False)
    if trusted:
        console.print("签名有效 / The signatures hold")
        return
    console.print(
        "签名与包内公钥相符；请与你另行得到的公钥指纹比对 / "
        "The signatures fit the keys in the bundle; compare their fingerprints with those you were given:"
    )
    for name, signer in found.signers.signers.items():
        console.print(f"  {name}  {fingerprint(signer)}", markup=False)


def register(app: typer.Typer) -> None:
    """Add the commands to ``hgrip rules``."""
    app.command()(export)
    app.command()(verify)
