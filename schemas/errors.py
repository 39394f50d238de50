"""Everything that can be refused or go wrong, in one table: code, HTTP status, and what to say.

The code is stable and meant for programs; the sentences may be improved at any time. Chinese comes first.
An error never carries the value that was refused, nor anything about a person: only facts about the request,
such as the place in it or a limit.
"""

from schemas.amendment_errors import AMENDMENT_ERRORS
from schemas.certificate_errors import CERTIFICATE_ERRORS
from schemas.claim_errors import CLAIM_ERRORS
from schemas.delegation_errors import DELEGATION_ERRORS
from schemas.eligibility_errors import ELIGIBILITY_ERRORS
from schemas.operations_errors import OPERATIONS_ERRORS
from schemas.platform_errors import PLATFORM_ERRORS, Error
from schemas.stuck_errors import STUCK_ERRORS
from schemas.texts import Text

FACTS = frozenset({
    "column",  # name or number of a column of the uploaded file or of the body
    "limit",  # the limit that was passed
    "line",  # line of the uploaded file or of the body, from 1
    "pointer",  # RFC 6901 pointer into the body
    "retry_after",  # seconds
    "revision",  # revision of a step that is saved now
    "state",  # state of the backup
    "step",  # id of a step that the procedure declares
})  # fmt: skip
"""What a refusal may tell about the request; all of it is free of persons and of what was typed."""


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a fault of ours
    """Ends a request with one of `ERRORS`.

    Its text is the code alone, so that a log or a history that prints it learns nothing else.

    Attributes:
        error: The row of the table.
        sentence: What is particular to this case (e.g. what is wrong with a file), told before ``mend``.
        facts: Names from `FACTS`, with numbers or declared names as values; JSON-safe.
    """

    def __init__(self, code: str, sentence: Text | None = None, /, **facts: str | int) -> None:
        """Look the code up.

        Raises:
            KeyError: The table has no such code.
            TypeError: A fact is not in `FACTS`, or one that the sentence names is missing.
        """
        super().__init__(code)
        self.error = ERRORS[code]
        self.sentence = sentence
        self.facts = facts
        if unknown := facts.keys() - FACTS:
            raise TypeError(f"{code}: unknown facts {sorted(unknown)}")
        if missing := self.error.named_facts - facts.keys():
            raise TypeError(f"{code}: facts {sorted(missing)} are missing")

    @property
    def detail(self) -> Text:
        """What is particular to this case, and how to mend it."""
        before = self.sentence or Text("", "")
        return Text(
            before.zh + self.error.mend.zh.format_map(self.facts),
            f"{before.en} {self.error.mend.en.format_map(self.facts)}".lstrip(),
        )


ERRORS: dict[str, Error] = {
    error.code: error
    for error in (
        *PLATFORM_ERRORS,
        *CLAIM_ERRORS,
        *DELEGATION_ERRORS,
        *ELIGIBILITY_ERRORS,
        *CERTIFICATE_ERRORS,
        *OPERATIONS_ERRORS,
        *AMENDMENT_ERRORS,
        *STUCK_ERRORS,
    )
}
"""The table, by code."""
