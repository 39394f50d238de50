"""What a rule remarks on a subject, without the value it looked at."""

from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "advice"]
"""``error`` blocks a submission, ``warning`` asks for a second look, ``advice`` informs."""


class Finding(NamedTuple):
    """One rule's remark (校验结果) on one record.

    It holds no value and no prose: the sentence and the legal basis are rendered from ``rule`` by the
    release that judged, so a better translation never changes a decision.

    Attributes:
        rule: Id of the rule, e.g. ``wgs.raw.repository`` or ``form.project.title.required``.
        severity: What the remark means for a submission.
        pointer: RFC 6901 JSON pointer of the place inside the record; ``""`` is the whole record.
        line: Line of the file list it came from, counted from 1 with the header; None for forms.
        column: The column's name as the uploaded file spells it; None where no single column is at fault.
    """

    rule: str
    severity: Severity
    pointer: str
    line: int | None = None
    column: str | None = None
