"""Somebody who reads timelines over HTTP."""

from typing import Any

from claims_town import Person


class Reader:
    """An operator at the API."""

    def __init__(self, person: Person) -> None:
        self.person = person

    async def page(self, case_id: object, **query: Any) -> dict[str, Any]:
        """One page of a timeline."""
        answer = await self.person.http.get(f"/v1/ops/cases/{case_id}/timeline", params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def entries(self, case_id: object) -> list[dict[str, Any]]:
        """A whole timeline."""
        return list((await self.page(case_id, page_size=1000))["entries"])

    async def sentences(self, case_id: object, language: str = "zh") -> list[str]:
        """What it says."""
        return [entry["text"][language] for entry in await self.entries(case_id)]

    async def event(self, case_id: object, event_id: str) -> dict[str, Any]:
        """A raw event."""
        answer = await self.person.http.get(f"/v1/ops/cases/{case_id}/timeline/{event_id}/event")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())
