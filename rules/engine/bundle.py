"""A release to take away (离线包): its rules, their JSON Schemas, and who signed, in one zip.

Nothing in it needs to be believed: the acts sign the digest of the rules, and the schemas are compiled anew
and compared.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from rules.engine.acts import ReleaseRefused, SignedAct, verify
from rules.engine.release import Release
from rules.engine.signing import Signers
from schemas.texts import Text

FORMAT = "hgrip-rulebook-bundle/1"
MANIFEST, RULES = "manifest.json", "rulebook.json"
MOST_BYTES = 64 * 1024 * 1024
"""Of all files unpacked: a bundle that claims more is not unpacked."""
_EPOCH = (1980, 1, 1, 0, 0, 0)


class BundleError(Exception):
    """A bundle that cannot be read or does not hold what it says.

    Attributes:
        text: The sentence.
    """

    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(f"{text.zh} / {text.en}")


class Bundle(NamedTuple):
    """A bundle whose content fits together.

    Attributes:
        release: Compiled from its rules.
        acts: Who signed what.
        signers: The keys it came with; trust them only if you know them from elsewhere.
    """

    release: Release
    acts: list[SignedAct]
    signers: Signers


def schemas(release: Release) -> Iterator[tuple[str, bytes]]:
    """The JSON Schema 2020-12 of each subject, by file name; any validator runs them."""
    for subject in sorted(release.subjects):
        content = json.dumps(release.json_schema(subject), ensure_ascii=False, indent=2, sort_keys=True)
        yield f"schemas/{subject}.schema.json", f"{content}\n".encode()


def pack(release: Release, acts: Sequence[SignedAct], signers: Signers) -> bytes:
    """The zip; equal content gives equal bytes."""
    files = {RULES: release.canonical(), **dict(schemas(release))}
    involved = {act.signer for act, _ in acts}
    known = {name: signer for name, signer in signers.signers.items() if name in involved}
    manifest = {
        "format": FORMAT,
        "version": release.version,
        "digest": release.digest,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        "acts": [signed.as_json() for signed in acts],
        **Signers(signers=known).model_dump(mode="json"),
    }
    files = {MANIFEST: json.dumps(manifest, ensure_ascii=False, indent=2).encode(), **files}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def unpack(data: bytes, trusted: Signers | None = None) -> Bundle:
    """Read a bundle and prove it.

    Args:
        data: The zip.
        trusted: Keys known from elsewhere; None: those in the bundle, which prove only that it fits together.

    Raises:
        BundleError: It is no bundle, or a file is missing, too many, too large or altered.
        ReleaseRefused: The acts do not prove the release.
    """
    files = _read(data)
    try:
        manifest: dict[str, Any] = json.loads(files.pop(MANIFEST))
        acts = [SignedAct.from_json(act) for act in manifest["acts"]]
        signers = Signers.model_validate({"signers": manifest["signers"]})
        named = {str(name): str(digest) for name, digest in manifest["files"].items()}
        digest, known = str(manifest["digest"]), manifest["format"] == FORMAT
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise _no_bundle() from None
    if not known:
        raise _no_bundle()
    if {name: hashlib.sha256(content).hexdigest() for name, content in files.items()} != named:
        raise _altered()
    if RULES not in files:
        raise _no_bundle()
    if not acts:
        raise ReleaseRefused("bad_signature")
    verify(files[RULES], digest, acts, trusted or signers)
    release = Release.from_canonical(files[RULES])
    if {RULES: files[RULES], **dict(schemas(release))} != files:
        raise _altered()
    return Bundle(release, acts, signers)


def _read(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            bomb = sum(entry.file_size for entry in entries) > MOST_BYTES
            files = {} if bomb else {entry.filename: archive.read(entry) for entry in entries}
    except Exception:  # a damaged zip fails in a dozen ways: zlib.error, struct.error, LZMAError …
        raise _no_bundle() from None
    if len(files) < len(entries):  # a bomb; or a name twice, of which readers take different ones
        raise _no_bundle()
    return files


def _no_bundle() -> BundleError:
    return BundleError(
        Text(
            "这不是规则版本的离线包，或已损坏；请重新导出。",
            "This is no bundle of a release, or it is damaged; export it anew.",
        )
    )


def _altered() -> BundleError:
    return BundleError(
        Text(
            "离线包内的文件与清单或规则不符：被改动过，或由另一版本的引擎导出；请重新导出。",
            "A file does not fit the manifest or the rules: it has been altered, or another version of the "
            "engine exported it; export it anew.",
        )
    )
