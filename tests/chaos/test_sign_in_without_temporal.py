"""A sign-in asks for the attribution of legacy backups, and is answered whether or not Temporal is there."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from chaos_stage import PATIENCE, Person, Stage

import api.tokens
from api.tokens import FictitiousPerson
from embedded.platform import REPOSITORY
from rules.engine.load import load_rulebook
from store.database import connect
from store.encryption import ColumnCipher
from store.legacy_import import import_file
from wire.keys import KeyRing

EXPORT = """姓名,手机号,单位,备份编号,日期,项目名称,状态
张示例,138 0013 8000,12990000EX00000106,BF2019052800001,2019-05-28,队列研究,已编号
张示例,138 0013 8000,12990000EX00000106,,2019-05-29,,草稿
"""


@pytest_asyncio.fixture
async def registrant(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Person]:
    """Somebody of whom the old platform had a backup and a draft."""
    file = tmp_path / "export.csv"
    file.write_text(EXPORT, "utf-8")
    rules = load_rulebook(REPOSITORY / "rules").procedure("claiming").matching
    engine = connect(stage.settings.database_url.get_secret_value())
    import_file(engine, ColumnCipher(KeyRing.load(stage.settings.keys_file)), rules, file)
    engine.dispose()
    monkeypatch.setitem(
        api.tokens.PEOPLE, "registrant", FictitiousPerson("张示例", "+8613800138000", "hospital")
    )
    person = Person(stage, "registrant")
    yield person
    await person.close()


async def _attribution(person: Person) -> Any:
    answer = await person.asks("POST", "/v1/me/sign-ins")
    assert answer.status_code == 200, answer.text
    return answer.json()["attribution"]


async def test_a_sign_in_without_temporal_is_answered_and_the_next_one_attributes(
    stage: Stage, registrant: Person, person: Person
) -> None:
    assert (await _attribution(person))["state"] == "pending"
    stage.kill("Temporal")
    told = await _attribution(registrant)
    assert (told["state"], told["moved"]) == ("pending", 0)
    hint = told["claim_hint"]
    stage.start_server_again("Temporal")
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while (told := await _attribution(registrant))["state"] != "done":
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.2)
    assert told == {
        "state": "done", "moved": 1, "drafts_left": 1, "already_moved": 0, "claim_hint": hint
    }  # fmt: skip
    assert (await _attribution(person))["claim_hint"] == hint, "it tells nobody what exists"
    backups = (await registrant.asks("GET", "/v1/backups")).json()["backups"]
    assert [(each["number"], each["state"]) for each in backups] == [("BF2019052800001", "numbered")]
    shown = (await registrant.asks("GET", f"/v1/backups/{backups[0]['id']}")).json()
    assert (shown["creator_id"], shown["judged_by"], shown["steps"]) == (None, None, [])
    assert shown["findings"] == {"errors": 0, "warnings": 0, "advice": 0}
    notices = (await registrant.asks("GET", "/v1/me/notices")).json()["notices"]
    assert [notice["kind"] for notice in notices] == ["attribution"]
    assert hint in notices[0]["message"]
