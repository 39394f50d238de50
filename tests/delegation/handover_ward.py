"""A unit whose administrator hands backups over, and what one asks for it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
from claims_town import ADMINISTRATOR, Person, Town, changed_rules
from sqlalchemy import text
from temporalio.client import WorkflowHandle

from rules.engine.release import Release

EXAMPLES = Path(__file__).parents[2] / "examples"
PROJECT: dict[str, Any] = json.loads((EXAMPLES / "project.json").read_text("utf-8"))
INFORMATION: dict[str, Any] = json.loads((EXAMPLES / "backup-information.json").read_text("utf-8"))
FILE_LIST = (EXAMPLES / "file-list.csv").read_bytes()
HELD = (
    "SELECT count(*) FROM backup WHERE delegate_id = :account AND unit_code = :unit"
    " AND EXISTS (SELECT FROM delegation d WHERE d.backup_id = id AND d.until IS NULL"
    " AND d.delegate_id = backup.delegate_id AND d.unit_code = backup.unit_code)"
)
BROKEN = (
    "SELECT count(*) FROM backup b WHERE delegate_id IS NOT NULL AND 1 <> (SELECT count(*) FROM delegation d"
    " WHERE d.backup_id = b.id AND d.until IS NULL AND d.delegate_id = b.delegate_id)"
)
GAPS = (
    "SELECT count(*) FROM (SELECT until, lead(since) OVER (PARTITION BY backup_id ORDER BY since) AS next"
    " FROM delegation WHERE operation_id <> '00000000-0000-0000-0000-000000000000') h"
    " WHERE next IS NOT NULL AND until IS DISTINCT FROM next"
)
NEW_BACKUPS = """
    WITH made AS (
        INSERT INTO backup (
            id, state, number, creator_id, delegate_id, unit_code, created_at, saved_at, expires_at
        )
        SELECT gen_random_uuid(), 'numbered', gen_random_uuid(), :account, :account, :unit, :at, :at, :at
        FROM generate_series(1, :backups)
        RETURNING id
    )
    INSERT INTO delegation (backup_id, since, delegate_id, unit_code, operation_id)
    SELECT id, :at, :account, :unit, gen_random_uuid() FROM made
"""


def delegation_rules(**policy: Any) -> Release:
    """The rules of this repository, in force for long, with another policy for handovers."""
    documents = json.loads(changed_rules(unlimited=True).canonical())
    delegation = documents["procedures/delegation"]
    for part, value in policy.items():
        delegation[part] = delegation[part] | value if isinstance(value, dict) else value
    return Release(documents)


class Ward:
    """A unit with two administrators, somebody who leaves, and an heir."""

    def __init__(
        self, town: Town, unit: str, chief: Person, second: Person, old: Person, heir: Person
    ) -> None:
        self.town, self.unit = town, unit
        self.chief, self.second, self.old, self.heir = chief, second, old, heir

    @classmethod
    async def built(cls, town: Town, backups: int = 0) -> "Ward":
        unit = town.unit()
        people = [await town.person(unit, ADMINISTRATOR) for _ in range(2)]
        ward = cls(town, unit, *people, *[await town.person(unit) for _ in range(2)])
        ward.gives(ward.old, backups)
        return ward

    def gives(self, person: Person, backups: int) -> None:
        """Let somebody hold so many numbered backups more."""
        facts = {"account": person.account, "unit": self.unit, "at": datetime.now(UTC), "backups": backups}
        with self.town.engine.begin() as connection:
            connection.execute(text(NEW_BACKUPS), facts)

    async def drafts(self, person: Person) -> str:
        """Let somebody begin a draft; its path."""
        answer = await person.asks("POST", "/v1/backups", json={"step": "project", "content": PROJECT})
        assert answer.status_code == 201, answer.text
        return f"/v1/backups/{answer.json()['backup_id']}"

    async def fills(self, person: Person) -> str:
        """Let somebody begin a draft and fill in all its steps; its path."""
        draft, first = await self.drafts(person), {"If-Match": '"0"'}
        path = f"{draft}/steps/backup-information"
        saved = await person.http.put(path, json=INFORMATION, headers=first)
        headers = first | {"Content-Type": "text/csv", "Idempotency-Key": str(uuid4())}
        path = f"{draft}/steps/data-files/manifests"
        listed = await person.http.post(path, content=FILE_LIST, headers=headers)
        assert (saved.status_code, listed.status_code) == (200, 201), listed.text
        return draft

    def names(self, of: Person | None, to: Person | None) -> dict[str, str]:
        return {"from": str((of or self.old).account), "to": str((to or self.heir).account)}

    async def previews(
        self,
        to: Person | None = None,
        *,
        of: Person | None = None,
        by: Person | None = None,
        **said: Any,
    ) -> httpx2.Response:
        body = self.names(of, to) | said
        return await (by or self.chief).asks("POST", "/v1/handovers/previews", json=body)

    async def previewed(self, to: Person | None = None, of: Person | None = None) -> Any:
        answer = await self.previews(to, of=of)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def confirms(
        self,
        digest: str,
        to: Person | None = None,
        *,
        of: Person | None = None,
        by: Person | None = None,
        key: str | None = None,
        **said: Any,
    ) -> httpx2.Response:
        body = self.names(of, to) | {"digest": digest} | said
        return await (by or self.chief).asks("POST", "/v1/handovers", key, json=body)

    async def hands_over(self, state: str = "moved") -> Any:
        """Preview and confirm."""
        answer = await self.confirms((await self.previewed())["digest"])
        assert answer.status_code == 201, answer.text
        assert answer.json()["state"] == state, answer.text
        return answer.json()

    async def undoes(
        self, handover: Any, by: Person | None = None, key: str | None = None
    ) -> httpx2.Response:
        return await (by or self.chief).asks("POST", f"/v1/handovers/{handover['id']}/reversals", key)

    async def approves(self, handover: Any, by: Person, decision: str = "agree") -> httpx2.Response:
        path = f"/v1/handovers/{handover['id']}/approvals"
        return await by.asks("POST", path, json={"decision": decision})

    async def accepts(self, handover: Any, by: Person, decision: str = "agree") -> httpx2.Response:
        path = f"/v1/handovers/{handover['id']}/acceptances"
        return await by.asks("POST", path, json={"decision": decision})

    def held(self, person: Person) -> int:
        """Backups somebody holds, as backups and the record of delegations both say."""
        assert self.town.value(BROKEN) == 0
        return int(self.town.value(HELD, account=person.account, unit=self.unit))

    def handle(self, person: Person | None = None) -> WorkflowHandle[Any, Any]:
        return self.town.client.get_workflow_handle(f"handover-{(person or self.old).account}")

    def changes_account(self, person: Person, column: str, value: object) -> None:
        """The mirror of an account changes, and the token does not."""
        with self.town.engine.begin() as connection:
            connection.execute(
                text(f"UPDATE account SET {column} = :value WHERE id = :id"),
                {"value": value, "id": person.account},
            )

    async def told(self, person: Person) -> list[str]:
        """What somebody was told of handovers, the newest first."""
        return [kind for kind in await person.notices() if kind.startswith("handover")]

    def row(self, handover: Any) -> dict[str, Any]:
        with self.town.engine.connect() as connection:
            found = connection.execute(
                text("SELECT * FROM handover WHERE id = :id"), {"id": UUID(handover["id"])}
            )
            return dict(found.mappings().one())
