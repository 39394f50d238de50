"""What a carrier's SDK knows of a failed request; both SDKs stand on requests and urllib3."""

import ssl
from collections.abc import Iterator

from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

_BEFORE_ANYTHING_WAS_SENT = (ConnectTimeoutError, NewConnectionError, ssl.SSLCertVerificationError)


def never_left(error: BaseException) -> bool:
    """Whether a request failed before any of it was on its way: there was no connection."""
    return any(isinstance(cause, _BEFORE_ANYTHING_WAS_SENT) for cause in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        # Aliyun's SDK keeps what went wrong in an attribute
        error = getattr(error, "inner_exception", None) or error.__cause__ or error.__context__
