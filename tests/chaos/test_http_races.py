"""Fifty at once, through HTTP: as many numbers as accepted backups, one winner for every revision."""

import asyncio
import json
from collections import Counter
from typing import Any
from uuid import uuid4

from chaos_stage import Person, Stage

from embedded.platform import REPOSITORY

EXAMPLES = REPOSITORY / "examples"
PROJECT: dict[str, Any] = json.loads((EXAMPLES / "project.json").read_text("utf-8"))
INFORMATION: dict[str, Any] = json.loads((EXAMPLES / "backup-information.json").read_text("utf-8"))
LIST = (EXAMPLES / "file-list.csv").read_bytes()
MANY = 50
AT_ONCE = 10
"""Drafts filled at the same time; on few cores more only wait for each other."""


async def filled(person: Person, turn: asyncio.Semaphore) -> str:
    """A draft that only has to be submitted."""
    async with turn:
        draft = await person.opens(PROJECT)
        first = {"If-Match": '"0"'}
        saved = await person.insists(
            "PUT", f"{draft}/steps/backup-information", json=INFORMATION, headers=first
        )
        assert saved.status_code == 200, saved.text
        headers = {**first, "Content-Type": "text/csv"}
        path = f"{draft}/steps/data-files/manifests"
        uploaded = await person.insists("POST", path, content=LIST, headers=headers)
        assert uploaded.status_code == 201, uploaded.text
        return draft


async def test_fifty_submissions_of_one_draft_give_one_number(stage: Stage, person: Person) -> None:
    draft = await filled(person, asyncio.Semaphore())
    keys = [str(uuid4()) for _ in range(MANY // 2)]
    answers = await asyncio.gather(
        *(person.insists("POST", f"{draft}/submission", key) for key in keys for _ in range(2))
    )
    assert Counter(answer.status_code for answer in answers) == {200: 2, 409: MANY - 2}
    accepted = [answer.json() for answer in answers if answer.status_code == 200]
    assert accepted[0] == accepted[1], "the two of one key"
    for key, first, second in zip(keys, answers[::2], answers[1::2], strict=True):
        again = await person.asks("POST", f"{draft}/submission", key)
        assert again.status_code == first.status_code == second.status_code
    backup = draft.rpartition("/")[2]
    assert stage.value("SELECT number FROM backup WHERE id = %s", backup) == accepted[0]["number"]
    numbers = "SELECT count(*) FROM operation WHERE outcome -> 'verdict' ->> 'number' IS NOT NULL"
    assert stage.value(numbers) == 1


async def test_fifty_saves_of_one_revision_have_one_winner(stage: Stage, person: Person) -> None:
    draft = await person.opens(PROJECT)
    path = f"{draft}/steps/backup-information"
    answers = await asyncio.gather(
        *(
            person.insists(
                "PUT", path, json={**INFORMATION, "individual_count": n}, headers={"If-Match": '"0"'}
            )
            for n in range(1, MANY + 1)
        )
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: MANY - 1}
    winner = next(n for n, answer in enumerate(answers, start=1) if answer.status_code == 200)
    step = (await person.asks("GET", path)).json()
    assert (step["revision"], step["content"]["individual_count"]) == (1, winner)


async def test_fifty_drafts_submitted_at_once_get_fifty_numbers_in_a_row(
    stage: Stage, person: Person
) -> None:
    turn = asyncio.Semaphore(AT_ONCE)
    drafts = await asyncio.gather(*(filled(person, turn) for _ in range(MANY)))
    before = stage.value("SELECT sum(last) FROM number_serial") or 0
    answers = await asyncio.gather(*(person.insists("POST", f"{draft}/submission") for draft in drafts))
    assert [answer.json()["verdict"] for answer in answers] == ["accepted"] * MANY
    assert len({answer.json()["number"] for answer in answers}) == MANY
    assert stage.value("SELECT sum(last) FROM number_serial") == before + MANY, "no number is skipped"
