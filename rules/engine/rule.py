"""A rule as the engine knows it, whatever file it was written in."""

from dataclasses import dataclass
from typing import Any

from rules.engine.model import Basis
from schemas.findings import Severity
from schemas.texts import Text

Schema = dict[str, Any] | bool


@dataclass(frozen=True, slots=True)
class Rule:
    """One decision (规则): where ``when`` holds, ``require`` must hold.

    Attributes:
        id: Stable name; findings refer to it.
        subject: Form, ``manifest`` or ``submission``.
        message: What a person is told when it does not hold. Says nothing of the value.
        when: JSON Schema fragment; true: always.
        require: JSON Schema fragment; true for the keywords of a form, which live in the form's schema.
        order: Two fields, the first not later or greater than the second. JSON Schema cannot compare fields.
        unique: Field that no two rows of a list share; evaluated by the store.
    """

    id: str
    subject: str
    severity: Severity
    message: Text
    basis: tuple[Basis, ...]
    when: Schema = True
    require: Schema = True
    order: tuple[str, str] | None = None
    unique: str | None = None
    decision: Text | None = None


def schema_of(form: dict[str, Any], rules: list[Rule]) -> dict[str, Any]:
    """A subject's JSON Schema 2020-12: its form, and one if/then per rule, named in ``$comment``."""
    branches = [{"$comment": rule.id, "if": rule.when, "then": rule.require} for rule in rules]
    return {**form, "allOf": branches} if branches else dict(form)
