"""Refusals across Temporal: a code and plain facts, never retried, no prose to leak."""

from temporalio.exceptions import ApplicationError

from schemas.errors import ERRORS, Refusal


def failure(refusal: Refusal) -> ApplicationError:
    """What an activity or an update raises for a refusal."""
    code = refusal.error.code
    return ApplicationError(code, refusal.facts, type=code, non_retryable=True)


def refusal_in(error: BaseException | None) -> Refusal | None:
    """The refusal inside what a caller got back; None when it is another kind of failure."""
    while error is not None:
        if isinstance(error, ApplicationError) and error.type in ERRORS:
            return Refusal(error.type, **(error.details[0] if error.details else {}))
        error = error.__cause__
    return None
