"""An operator at a deployment, and what goes wrong there."""

import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx2
from backup_desk import file_list
from http_deployment import Deployment, keyed, open_draft, upload

from schemas.contracts.stuck import ScanOrder
from workflows.stuck_scan import StuckScan

PATIENCE = 40


class Station:
    """Where an operator sits, and a person whose work gets stuck."""

    def __init__(self, deployment: Deployment, operator: httpx2.Client, person: httpx2.Client) -> None:
        self.deployment, self.operator, self.person = deployment, operator, person

    def scan(self) -> None:
        """What the schedule does every half minute."""
        self.deployment.run(
            lambda client: client.execute_workflow(
                StuckScan.run,
                ScanOrder(),
                id=f"stuck-scan-{uuid.uuid4()}",
                task_queue=self.deployment.settings.task_queue,
            )
        )

    def stuck(self, case_id: str, **wanted: str) -> list[dict[str, Any]]:
        """What is listed of one case."""
        answer = self.operator.get("/v1/ops/stuck", params={"page_size": 1000, **wanted})
        assert answer.status_code == 200, answer.text
        return [row for row in answer.json()["stuck"] if row["case_id"] == case_id]

    def causes(self, case_id: str, *, scanning: bool = True) -> list[str]:
        """Why one case is stuck."""
        if scanning:
            self.scan()
        return sorted(row["cause"] for row in self.stuck(case_id))

    def case(self, case_id: str) -> dict[str, Any]:
        """How a case stands."""
        answer = self.operator.get(f"/v1/ops/cases/{case_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def acts(
        self,
        case_id: str,
        action: str,
        *,
        revision: int | None = None,
        key: str | None = None,
        by: httpx2.Client | None = None,
        **said: Any,
    ) -> httpx2.Response:
        """Do something with a case, having looked at it, unless another revision is named."""
        seen = self.case(case_id)["revision"] if revision is None else revision
        body = {"action": action, "reason": "演练 / drill", **said}
        headers = keyed(key, seen)
        return (by or self.operator).post(f"/v1/ops/cases/{case_id}/actions", json=body, headers=headers)

    def trail(self, case_id: str) -> list[tuple[Any, ...]]:
        """What the audit trail holds of operators and a case: (act, actor kind, reason, facts)."""
        return self.deployment.query(
            "SELECT act, actor_kind, reason, facts FROM audit_event"
            " WHERE case_id = %s AND act LIKE 'operator%%' ORDER BY id",
            case_id,
        )

    def draft(self) -> str:
        """A draft of the person's."""
        return open_draft(self.person)

    def waiting_draft(self) -> str:
        """A draft whose deposit is on its way to a repository."""
        backup = self.draft()
        listed = upload(self.person, backup, file_list(in_transit=["gvm"]).encode())
        assert listed.status_code == 201, listed.text
        return backup

    def asks_look_up(self, backup: str) -> httpx2.Response:
        """The person asks whether the deposit has arrived."""
        return self.person.post(f"/v1/backups/{backup}/deposit-checks", json={}, headers=keyed())


def until(what: Callable[[], bool]) -> None:
    """Wait for something to become so."""
    give_up = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < give_up, "it does not happen"
        time.sleep(0.1)
