"""The API over real HTTP as the HGR service system and as people see it."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import httpx2

from api.auth import _ACCOUNTS
from rules.engine.load import load_rulebook
from settings import Settings

sys.path.append(str(Path(__file__).parents[1] / "http"))  # its deployment serves here as well

from http_deployment import REPOSITORY, Deployment, complete_draft, number


class Desk(Deployment):
    """A deployment, a system that asks, and the people it asks about."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.rules = load_rulebook(REPOSITORY / "rules")
        self.publish(self.rules)

    def start(self) -> None:
        super().start()
        self.service = self.system("hgr-service-system")

    def system(self, client: str, scope: str = "eligibility prior-reports") -> httpx2.Client:
        """An HTTP client with a token by client credentials."""
        token = self.issuer.service_token(client, scope)
        return self.visitor({"Authorization": f"Bearer {token}", "Accept-Language": "en"})

    def account_id(self, person: str) -> UUID:
        """As `docs/reference/authentication.md` says it follows from the token."""
        return uuid5(_ACCOUNTS, f"{self.settings.token_issuer}|{person}")

    def check(self, person: str, number: str, as_of: datetime | None = None) -> dict[str, Any]:
        """The answer to one question."""
        answer = self.service.post("/v1/eligibility-checks", json=self.question(person, number, as_of))
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said

    def question(self, person: str, number: str, as_of: datetime | None = None) -> dict[str, Any]:
        """A question as JSON."""
        asked = {"account": str(self.account_id(person)), "backup_number": number}
        return asked if as_of is None else asked | {"as_of": as_of.isoformat()}

    def numbered(self, person: str) -> str:
        """The number of a new backup."""
        with self.account(person) as account:
            return number(account, complete_draft(account))

    def fails(self, person: str, number: str, as_of: datetime | None = None) -> list[str]:
        """Ids of the rules that do not hold, without the common part."""
        said = self.check(person, number, as_of)
        errors = [reason["rule_id"] for reason in said["reasons"] if reason["severity"] == "error"]
        assert said["eligible"] == (not errors)
        return [rule_id.removeprefix("prior-report.") for rule_id in errors]


def now() -> datetime:
    return datetime.now(UTC)


SOON = timedelta(days=1)
