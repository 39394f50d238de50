"""The API's own description: committed, complete, and true under fire."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from http_deployment import EXAMPLES, REPOSITORY, Deployment, open_draft, upload

COMMITTED = REPOSITORY / "docs" / "reference" / "openapi.json"


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(COMMITTED.read_text())
    return document


def operations(description: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in description["paths"].values() for operation in path.values()]


def test_the_committed_description_is_that_of_this_code(description: dict[str, Any]) -> None:
    command = [sys.executable, "-c", "from cli.main import app; app()", "openapi"]
    printed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True).stdout
    assert json.loads(printed) == description, "run: hgrip openapi > docs/reference/openapi.json"


def test_every_operation_has_a_name_of_its_own_and_tells_its_problems(description: dict[str, Any]) -> None:
    names = [operation["operationId"] for operation in operations(description)]
    assert len(set(names)) == len(names)
    assert all(name.isalpha() and name[0].islower() for name in names)  # FastAPI's own have underscores
    for operation in operations(description):
        assert list(operation["responses"]["default"]["content"]) == ["application/problem+json"]
        for status, response in operation["responses"].items():
            if status.startswith("4"):
                assert list(response["content"]) == ["application/problem+json"]


def test_every_body_has_an_example(description: dict[str, Any]) -> None:
    for operation in operations(description):
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            schema = content["schema"]
            if "$ref" in schema:
                schema = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            told = {"example", "examples"} & (content.keys() | schema.keys())
            assert told or media_type.endswith("spreadsheetml.sheet"), operation["operationId"]


LEFT_OUT = {
    "positive_data_acceptance": "whether an ETag, a page token or an Idempotency-Key is right depends on "
    "what was asked before, which no schema says",
}
"""Checks that are not made, and why."""

CONFIGURATION = """
hooks = "file_lists"
[parameters]
"path.backup_id" = "{backup}"
"path.operation_id" = "{operation}"
[checks.missing_required_header]
expected-statuses = [400, 401, 428]
[[operations]]
include-operation-id = ["saveForm", "getStep"]
parameters = {{ "path.step" = "project" }}
[[operations]]
include-operation-id = ["uploadManifest", "listDataFiles"]
parameters = {{ "path.step" = "data-files" }}
"""

FILE_LISTS = """
import schemathesis

@schemathesis.serializer("application/x-ndjson", "text/tab-separated-values",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
def as_it_is(context, value):
    return value if isinstance(value, bytes) else str(value).encode()
"""


EXAMPLES_EACH = os.environ.get("HGRIP_TEST_EXAMPLES", "12")
"""Generated requests of each operation and phase; more are worth it after changes of the API."""


@pytest.mark.timeout(900)
def test_the_description_holds_against_generated_requests(
    deployment: Deployment, zhang: httpx2.Client, description: dict[str, Any], tmp_path: Path
) -> None:
    backup = open_draft(zhang)
    saved = upload(zhang, backup, (EXAMPLES / "file-list-with-faults.csv").read_bytes()).json()
    configuration = tmp_path / "schemathesis.toml"
    (tmp_path / "file_lists.py").write_text(FILE_LISTS)
    configuration.write_text(CONFIGURATION.format(backup=backup, operation=saved["operation_id"]))
    outcome = subprocess.run(
        [
            *(Path(sys.executable).with_name("schemathesis"), f"--config-file={configuration}", "run"),
            f"{deployment.url}/openapi.json",
            f"--header=Authorization:{zhang.headers['Authorization']}",
            *(f"--max-examples={EXAMPLES_EACH}", "--generation-deterministic", "--no-shrink"),
            *("--phases=examples,coverage,fuzzing", "--suppress-health-check=filter_too_much"),
            f"--exclude-checks={','.join(LEFT_OUT)}",
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    assert outcome.returncode == 0, outcome.stdout[-20000:] + outcome.stderr[-2000:]
    assert f"{len(operations(description))} total" in outcome.stdout
