"""What ``hgrip ops`` is at: the API, asked as a person asks it, with an operator's token."""

import time
from typing import Any, NoReturn
from uuid import uuid4

import httpx2

from cli.terminal import ExitCode, fail
from schemas.texts import Language, Text

TIMES = 3
"""How often a request is sent that may succeed later, under the same Idempotency-Key."""
PAUSE = 1.0  # seconds
_CODES = {
    400: ExitCode.USAGE,
    401: ExitCode.REFUSED,
    403: ExitCode.REFUSED,
    404: ExitCode.NOT_FOUND,
    409: ExitCode.CONFLICT,
    412: ExitCode.CONFLICT,
    422: ExitCode.REFUSED,
    423: ExitCode.CONFLICT,
}


class RefusedError(Exception):
    """The API refused a request; it said why in a problem (RFC 9457)."""

    def __init__(self, answer: httpx2.Response) -> None:
        """Take the problem out of an answer that may be none of ours."""
        super().__init__(str(answer.status_code))
        ours = answer.headers.get("content-type", "").startswith("application/problem+json")
        self.problem: dict[str, Any] = answer.json() if ours else {}
        self.exit_code = _CODES.get(answer.status_code, ExitCode.DOWN)
        self.code = str(self.problem.get("type", answer.status_code)).rpartition("/")[2]

    @property
    def sentence(self) -> str:
        """What happened and how to mend it, in the language that was asked for."""
        return f"{self.problem.get('title', self)}：{self.problem.get('detail', '')}"


class Desk:
    """Sends requests; ends the command where the API is not there."""

    def __init__(self, url: str, token: str, language: Language) -> None:
        """Sign in.

        Args:
            url: Of the API.
            token: An operator's.
            language: Of the answers.
        """
        self._http = httpx2.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}", "Accept-Language": language},
            timeout=30,
        )

    def get(self, path: str, query: dict[str, Any]) -> dict[str, Any]:
        """What is at an address.

        Raises:
            RefusedError: It is not shown.
        """
        return self._sent(
            "GET", path, params={name: each for name, each in query.items() if each is not None}
        )

    def act(self, case_id: str, revision: int, body: dict[str, Any]) -> dict[str, Any]:
        """Do something with a case that was looked at.

        Raises:
            RefusedError: It is not done.
        """
        headers = {"Idempotency-Key": str(uuid4()), "If-Match": f'"{revision}"'}
        return self._sent("POST", f"/v1/ops/cases/{case_id}/actions", json=body, headers=headers)

    def _sent(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        for left in reversed(range(TIMES)):
            try:
                answer = self._http.request(method, path, **request)
            except httpx2.TransportError:
                _unreachable()
            if answer.is_success:
                return dict(answer.json())
            refused = RefusedError(answer)
            if not left or not refused.problem.get("retryable") or refused.code == "case_paused":
                raise refused
            time.sleep(PAUSE)
        raise AssertionError  # the last turn returns or raises


def _unreachable() -> NoReturn:
    fail(
        ExitCode.DOWN,
        Text(
            "无法连接 API。请检查它是否运行，以及 --api 或 HGRIP_API_URL 是否正确。",
            "the API cannot be reached. Check that it runs, and --api or HGRIP_API_URL.",
        ),
    )
