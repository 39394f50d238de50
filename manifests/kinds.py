"""What a file really is, by its first bytes, held against what the upload declared."""

import mmap
from pathlib import Path
from typing import Literal

from manifests.faults import Fault, UnreadableFile
from manifests.text import find_encoding, open_text

Kind = Literal["text", "ndjson", "xlsx"]
"""``text`` is delimited text: CSV or TSV."""

_SIGNATURES: list[tuple[bytes, str]] = [
    (b"%PDF-", "file.is_pdf"),
    (b"\xff\xd8\xff", "file.is_image"),
    (b"\x89PNG\r\n", "file.is_image"),
    (b"GIF8", "file.is_image"),
    (b"II*\0", "file.is_image"),
    (b"MM\0*", "file.is_image"),
    (b"\x1f\x8b", "file.is_compressed"),
    (b"BZh", "file.is_compressed"),
    (b"\xfd7zXZ\0", "file.is_compressed"),
    (b"\x28\xb5\x2f\xfd", "file.is_compressed"),
    (b"7z\xbc\xaf\x27\x1c", "file.is_compressed"),
    (b"Rar!\x1a\x07", "file.is_compressed"),
    (b"CRAM", "file.is_compressed"),
]
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")

_DECLARABLE: dict[str, frozenset[Kind]] = {
    "text/csv": frozenset({"text"}),
    "application/csv": frozenset({"text"}),
    "text/tab-separated-values": frozenset({"text"}),
    "application/x-ndjson": frozenset({"ndjson"}),
    "application/ndjson": frozenset({"ndjson"}),
    "application/jsonl": frozenset({"ndjson"}),
    "application/x-jsonlines": frozenset({"ndjson"}),
    "application/json": frozenset({"ndjson"}),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": frozenset({"xlsx"}),
    "text/plain": frozenset({"text", "ndjson"}),
    # what browsers send: the first for everything unknown, the second for CSV where Excel is installed
    "application/octet-stream": frozenset({"text", "ndjson", "xlsx"}),
    "application/vnd.ms-excel": frozenset({"text", "ndjson", "xlsx"}),
}
"""Media types an upload may declare, and the kinds of file each may turn out to be."""


def find_kind(path: Path, declared: str | None) -> tuple[Kind, str | None]:
    """Tell what the file is, and its encoding if it is text.

    Args:
        path: The uploaded file.
        declared: Media type of the upload, parameters and all; None if it gave none.

    Raises:
        UnreadableFile: It is no file list, is not what was declared, or its text has no single encoding.
    """
    media_type = (declared or "application/octet-stream").partition(";")[0].strip().lower()
    allowed = _DECLARABLE.get(media_type)
    if allowed is None:
        raise UnreadableFile(Fault("file.media_type"))
    kind, encoding = _actual_kind(path)
    if kind not in allowed:
        raise UnreadableFile(Fault(f"file.is_{kind}"))
    return kind, encoding


def _actual_kind(path: Path) -> tuple[Kind, str | None]:
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith(_ZIP):
        return "xlsx", None
    if start.startswith(_OLE):
        raise UnreadableFile(Fault("file.is_encrypted" if _is_encrypted(path) else "file.is_xls"))
    for signature, code in _SIGNATURES:
        if start.startswith(signature):
            raise UnreadableFile(Fault(code))
    encoding = find_encoding(path)
    match _first_character(path, encoding):
        case "":
            raise UnreadableFile(Fault("file.empty"))
        case "{":
            return "ndjson", encoding
        case "[":
            raise UnreadableFile(Fault("file.is_json_array"))
        case "<":
            raise UnreadableFile(Fault("file.is_markup"))
    return "text", encoding


def _is_encrypted(path: Path) -> bool:
    """Look for the stream an encrypted workbook keeps its content in ([MS-OFFCRYPTO] 2.3.4.4)."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find("EncryptedPackage".encode("utf-16-le")) >= 0


def _first_character(path: Path, encoding: str) -> str:
    with open_text(path, encoding) as file:
        while chunk := file.read(4_096):
            if content := chunk.strip():
                return content[0]
    return ""
