"""What operators see of a decrypted payload: its structure, states, counts, moments, and shortened ids.

Everything shown is on a list: names of fields are those that messages declare, texts have one of a few
shapes. Whatever is not on it is masked, so that a field added tomorrow is hidden until somebody decides.
Words for operators (summaries, current details) are not encrypted and do not come this way.
"""

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from temporalio.api.common.v1 import Payload

from schemas import contracts
from schemas.contracts.backups import Message
from schemas.errors import ERRORS, FACTS

MASK = "＊＊＊"

WORDS = frozenset({
    "attested", "awaiting", "consent", "failure", "repository", "result", "revisions", "source", "state",
    "step",
})  # fmt: skip
"""Fields whose texts are names that code or rules declare: shown when they look like one."""
_WORD = re.compile(r"[a-z]+(?:[._-][a-z]+){0,5}(?:-[a-z0-9]{1,8})?")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOMENT = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|\+00:00)")
_DURATION = re.compile(
    r"-?P(?:[0-9]{1,4}D)?(?:T(?:[0-9]{1,2}H)?(?:[0-9]{1,2}M)?(?:[0-9]{1,2}(?:\.[0-9]{1,9})?S)?)?"
)
_RESIDENT = r"[0-9]{6}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9X]"
"""A resident's identity number (身份证号, GB 11643) is as long as a unit's code, and of its letters."""
_SHOWN = {
    "number": re.compile(r"[A-Z]{2,4}20[0-9]{11}"),
    "release": re.compile(r"20[0-9]{2}\.[0-9]{1,2}\.[0-9]{1,4}"),
    "unit_code": re.compile(rf"(?!{_RESIDENT})[0-9A-HJ-NPQRTUWXY]{{18}}"),
    **dict.fromkeys(WORDS, _WORD),
}
"""Fields whose texts are shown whole, and what those look like."""
_LARGEST = 10**10
"""A whole number from here on has the 11 digits of a mobile phone."""
_SHORT = 8


def masked(payload: Payload) -> Payload:
    """A payload in the clear, as operators may see it; always JSON."""
    encoding = payload.metadata.get("encoding", b"")
    if encoding == b"binary/null":
        return payload
    try:
        document = json.loads(payload.data) if encoding.startswith(b"json/") else MASK
    except ValueError:
        document = MASK
    shown = json.dumps(_shown(document), ensure_ascii=False).encode()
    return Payload(metadata={"encoding": b"json/plain"}, data=shown)


def _shown(document: Any) -> Any:
    if isinstance(document, dict) and document.keys() == {"message", "stack_trace"}:
        return {"message": _failure(document.get("message")), "stack_trace": ""}
    return _value("", document)


def _failure(text: object) -> str:
    """Of a failure its code; any other text may quote what it choked on."""
    return text if isinstance(text, str) and text in ERRORS else MASK


def _value(field: str, value: Any) -> Any:
    if isinstance(value, dict):
        return dict(_members(field, value))
    if isinstance(value, list):
        return [_value(field, each) for each in value]
    if isinstance(value, str):
        return _text(field, value)
    return MASK if isinstance(value, int) and abs(value) >= _LARGEST else value


def _members(field: str, members: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in members.items():
        if name in _DECLARED or (field in WORDS and _WORD.fullmatch(name)):
            yield name, _value(name, value)
        else:
            yield MASK, MASK


def _text(field: str, text: str) -> str:
    if _ID.fullmatch(text) or _DIGEST.fullmatch(text):
        return f"{text[:_SHORT]}…"
    shown = (_MOMENT, _DURATION, _SHOWN.get(field))
    return text if any(shape is not None and shape.fullmatch(text) for shape in shown) else MASK


def _messages(kind: type[Message]) -> Iterator[type[Message]]:
    for each in kind.__subclasses__():
        yield each
        yield from _messages(each)


def _declared() -> frozenset[str]:
    for module in iter_modules(contracts.__path__):
        import_module(f"schemas.contracts.{module.name}")
    fields = {field for message in _messages(Message) for field in message.model_fields}
    return frozenset(fields | FACTS)


_DECLARED = _declared()
