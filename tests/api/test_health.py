import asyncio
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from api import health
from schemas.texts import Text

SECRET = "password=hunter2"


async def works() -> None:
    return None


async def fails() -> None:
    raise ConnectionError(SECRET)


async def hangs() -> None:
    await asyncio.Event().wait()


def client(**checks: Any) -> TestClient:
    app = FastAPI()
    mend = Text("请检查。", "Check it.")
    info = health.ServiceInfo(
        id="org.example.hgrip",
        name="hgrip",
        description="人类遗传资源信息备份",
        organization=health.Organization(name="示例单位", url="https://example.org"),
        environment="test",
        version="0.1.0",
    )
    app.include_router(
        health.router([health.Check(name, check, mend) for name, check in checks.items()], info)
    )
    return TestClient(app)


def test_a_service_whose_neighbours_work_is_ready() -> None:
    answer = client(database=works, temporal=works).get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "checks": [{"name": name, "state": "works", "mend": None} for name in ("database", "temporal")],
    }


def test_a_neighbour_that_fails_or_hangs_is_named_with_what_to_do_and_nothing_else(monkeypatch: Any) -> None:
    monkeypatch.setattr(health, "TIMEOUT", 0.01)
    with capture_logs() as logs:
        answer = client(database=fails, temporal=hangs, rulebook=works).get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "not_ready")
    states = {check["name"]: (check["state"], check["mend"]) for check in answer.json()["checks"]}
    mend = {"zh": "请检查。", "en": "Check it."}
    assert states == {"database": ("failed", mend), "temporal": ("failed", mend), "rulebook": ("works", None)}
    assert {(entry["check"], entry["error"]) for entry in logs} == {
        ("database", "ConnectionError"),
        ("temporal", "TimeoutError"),
    }
    assert SECRET not in answer.text + str(logs)


def test_a_process_that_answers_is_alive_whatever_its_neighbours_do() -> None:
    assert client(database=fails).get("/livez").json() == {"status": "alive"}


def test_service_info_has_the_fields_that_ga4gh_requires() -> None:
    info = client().get("/service-info").json()
    assert info.keys() >= {"id", "name", "type", "organization", "version"}
    assert info["type"].keys() == {"group", "artifact", "version"}
    assert info["organization"].keys() == {"name", "url"}
    assert None not in info.values()
