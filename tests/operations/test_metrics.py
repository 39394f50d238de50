"""What Prometheus is shown."""

import re
import uuid

import httpx2
from codec_stage import database_away
from http_deployment import Deployment, open_draft
from prometheus_client.parser import text_string_to_metric_families

from embedded.process import free_port
from settings import Settings
from wire.client import connect, worker_runtime

Samples = dict[str, list[tuple[dict[str, str], float]]]


def scraped(address: str) -> tuple[str, Samples]:
    """The page, and its samples by name."""
    page = httpx2.get(f"http://{address}/metrics", timeout=30).raise_for_status().text
    samples: Samples = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append((sample.labels, sample.value))
    return page, samples


def counted(plant: Deployment) -> dict[tuple[str, str, str], float]:
    """How many requests there have been, by method, route and status."""
    _, samples = scraped(plant.settings.api_metrics)
    return {
        (labels["method"], labels["route"], labels["status"]): value
        for labels, value in samples.get("hgrip_http_requests_total", [])
    }


def test_requests_are_counted_by_route_template_and_nothing_that_was_sent_is_a_label(
    plant: Deployment, zhang: httpx2.Client
) -> None:
    draft = open_draft(zhang)
    before = counted(plant)
    for path in (f"/v1/backups/{draft}", f"/v1/backups/{uuid.uuid4()}", "/v1/13812345678", "/张三"):
        zhang.get(path)
    zhang.request("BREW13812345678", "/v1/backups")
    zhang.get("/v1/backups?state=13812345678")
    page, samples = scraped(plant.settings.api_metrics)
    after = counted(plant)
    assert {request: count for request in after if (count := after[request] - before.get(request, 0))} == {
        ("GET", "/v1/backups/{backup_id}", "200"): 1,
        ("GET", "/v1/backups/{backup_id}", "404"): 1,
        ("GET", "none", "404"): 2,
        ("other", "/v1/backups", "405"): 1,
        ("GET", "/v1/backups", "422"): 1,
    }
    assert {"not_found", "method_not_allowed"} <= {
        labels["code"] for labels, _ in samples["hgrip_problems_total"]
    }
    for said in (draft, "13812345678", "张三", zhang.headers["authorization"]):
        assert said not in page
    assert re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", page) is None


def test_gauges_tell_how_the_platform_stands_and_that_the_database_is_away(
    plant: Deployment, zhang: httpx2.Client
) -> None:
    open_draft(zhang)
    _, samples = scraped(plant.settings.api_metrics)
    assert samples["hgrip_database_up"] == [({}, 1)]
    (there,) = plant.query("SELECT count(*) FROM backup WHERE state = 'draft'")
    assert ({"state": "draft"}, there[0]) in samples["hgrip_backups_open"]
    assert samples["hgrip_audit_unsealed"][0][1] >= 0
    with database_away(plant):
        _, samples = scraped(plant.settings.api_metrics)
    assert samples["hgrip_database_up"] == [({}, 0)]
    assert "hgrip_backups_open" not in samples


def test_the_api_itself_shows_no_metrics(plant: Deployment) -> None:
    assert httpx2.get(f"{plant.url}/metrics").status_code == 404


async def test_the_worker_shows_those_of_the_sdk_by_type_and_not_by_id(session_settings: Settings) -> None:
    address = f"127.0.0.1:{free_port()}"
    client = await connect(session_settings, worker_runtime(address))
    await client.count_workflows()
    _, samples = scraped(address)
    ((labels, value),) = [
        (labels, value)
        for labels, value in samples["temporal_request_total"]
        if labels["operation"] == "CountWorkflowExecutions"
    ]
    assert value == 1
    assert not {"workflow_id", "run_id"} & labels.keys()
