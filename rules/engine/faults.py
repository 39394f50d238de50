"""What is wrong with a rule file, in words its author can act on."""

from typing import NamedTuple

from schemas.texts import Language, Text


class Fault(NamedTuple):
    """One mistake (错误) in a rule file.

    Attributes:
        file: Path inside the rulebook's folder.
        line: Line, counted from 1.
        column: Column, counted from 1.
        what: What is wrong.
        why: Why that is not allowed.
        mend: How to mend it.
    """

    file: str
    line: int
    column: int
    what: Text
    why: Text
    mend: Text

    def sentence(self, language: Language) -> str:
        """Place, cause and remedy in one line."""
        zh = language == "zh"
        words = [text.zh if zh else text.en for text in (self.what, self.why, self.mend)]
        place = f"{self.file}:{self.line}:{self.column}"
        return f"{place} {('' if zh else ' ').join(filter(None, words))}"


class RulebookError(Exception):
    """The rule files do not make a release.

    Attributes:
        faults: Every mistake found, by file and line.
    """

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = sorted(faults, key=lambda fault: fault[:3])
        super().__init__("\n".join(fault.sentence("en") for fault in self.faults))


class CaseFailure(NamedTuple):
    """A case whose expectation the rules do not meet, or a rule that no case tries.

    Attributes:
        file: Path of the cases file; empty where a rule lacks a case.
        case: The case's sentence, or the rule's id.
        what: What was expected and what came.
    """

    file: str
    case: str
    what: Text
