"""Who sees what, for every address that the API's own description declares."""

import uuid
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx2
import pytest
from http_deployment import EXAMPLES, PROJECT, REPOSITORY, Deployment, keyed, open_draft, upload

from rules.engine.load import load_rulebook

NOBODY = (
    "/livez",
    "/readyz",
    "/service-info",
    "/problems",
    "/problems/{code}",
    "/v1/procedures/backup-creation",
    "/v1/rules/matrix",
    "/v1/rules/releases",
    "/v1/rules/releases/{digest}",
    "/v1/rules/{rule_id}",
    "/.well-known/jwks.json",
)
"""Addresses that want no token: what they say is the same for everyone."""
OTHERS = (
    *("checkEligibility", "checkEligibilityOfMany", "recordPriorReport"),
    *("replaySubmissions", "getRuleImpact", "listRuleImpactChanges"),
    *("listAuditEvents", "listTreeHeads", "proveAuditEvent"),
)
"""What another system, the policy team or auditors may do: for nobody who makes backups."""
OPERATORS = ("listStuckWork", "getCase", "actOnCase", "getTimeline", "getRawEvent")
"""What operators alone may do."""
PUBLIC = ("/verify", "/v1/sms-receipts")
"""Addresses for those who have no account: whoever holds a certificate, and the carriers."""
ANYBODY = ("signIn", "evaluateRecords", "evaluateManifest", "compareReleases", "getRuleDiff")
"""What every account may do: it touches no backup."""
RELEASE = load_rulebook(REPOSITORY / "rules")


class Route(NamedTuple):
    method: str
    path: str
    operation: dict[str, Any]

    def __str__(self) -> str:
        return str(self.operation["operationId"])


@pytest.fixture(scope="module")
def routes(deployment: Deployment) -> list[Route]:
    description = deployment.app.openapi()
    return [
        Route(method.upper(), path, operation)
        for path, operations in description["paths"].items()
        if not path.startswith(PUBLIC)
        for method, operation in operations.items()
    ]


def send(account: httpx2.Client, route: Route, **parts: str) -> httpx2.Response:
    """A well-formed request to a route."""
    content = route.operation.get("requestBody", {}).get("content", {})
    names = {parameter["name"] for parameter in route.operation.get("parameters", ())}
    headers = keyed() if "Idempotency-Key" in names else {}
    headers |= {"If-Match": '"1"'} if "If-Match" in names else {}
    rules = {"rule_id": "wgs.raw.repository", "digest": RELEASE.digest}
    known = {"code": "not_found", "step": step_of(route), **rules, **parts}
    path = route.path.format_map(defaultdict(lambda: str(uuid.UUID(int=7)), known))
    body: dict[str, Any] = {}
    if "application/json" in content:
        body = {"json": {} if "deposit-checks" in path else PROJECT}
        body = {"json": {"step": "project", "content": PROJECT}} if path == "/v1/backups" else body
        if path.endswith(("/corrections", "/number-withdrawal")):
            body = {"json": {"reason": "补录"}}
        if path == "/v1/rule-evaluations":
            body = {"json": {"subject": "project", "records": [PROJECT]}}
    elif content:
        headers["Content-Type"], body = "text/csv", {"content": b"file_name\nA.bam\n"}
    return account.request(route.method, path, headers=headers, **body)


def step_of(route: Route) -> str:
    return "data-files" if route.path.endswith(("manifests", "data-files")) else "project"


@pytest.fixture(scope="module")
def zhangs(zhang: httpx2.Client) -> dict[str, str]:
    """A draft of Zhang's with a list, and the operation of its last save."""
    backup = open_draft(zhang)
    saved = upload(zhang, backup, (EXAMPLES / "file-list.csv").read_bytes()).json()
    return {"backup_id": backup, "operation_id": saved["operation_id"]}


@pytest.fixture(scope="module", params=["zh", "en"])
def stranger(deployment: Deployment, request: pytest.FixtureRequest) -> Iterator[httpx2.Client]:
    """A person of another unit."""
    with deployment.account("wang", request.param) as account:
        yield account


def test_anothers_backup_and_a_missing_one_answer_alike_at_every_address(
    deployment: Deployment,
    routes: list[Route],
    stranger: httpx2.Client,
    zhang: httpx2.Client,
    zhangs: dict[str, str],
) -> None:
    before = everything(zhang, zhangs)
    roles: list[dict[str, Any]] = [
        {"person": "wang"}, {"person": "li"}, {"person": "zhao"}, {"person": "chen", "unit": "institute"}
    ]  # fmt: skip
    of_backups = [route for route in routes if "{backup_id}" in route.path or "{operation_id}" in route.path]
    assert len(of_backups) >= 9
    missing = {"backup_id": str(uuid.uuid4()), "operation_id": str(uuid.uuid4())}
    for role in roles:
        language = stranger.headers["Accept-Language"]
        with deployment.account(language=language, **role) as account:
            for route in of_backups:
                theirs, none = send(account, route, **zhangs), send(account, route, **missing)
                assert none.status_code == 404, (str(route), none.text)
                assert without_instance(theirs) == without_instance(none), str(route)
    assert everything(zhang, zhangs) == before


def test_a_unit_administrator_sees_the_units_backups_and_may_not_change_them(
    deployment: Deployment, routes: list[Route], zhang: httpx2.Client, zhangs: dict[str, str]
) -> None:
    before = everything(zhang, zhangs)
    with deployment.account("chen") as administrator:
        for route in routes:
            if "{backup_id}" not in route.path and "{operation_id}" not in route.path:
                continue
            answer = send(administrator, route, **zhangs)
            if route.path.endswith(("/certificate", "/versions")):  # a draft has none, whoever asks
                assert answer.status_code == send(zhang, route, **zhangs).status_code == 409
            elif route.method == "GET":
                assert answer.status_code == 200, (str(route), answer.text)
                assert answer.json() == send(zhang, route, **zhangs).json()
            else:
                assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not_allowed"), str(
                    route
                )
        listed = administrator.get("/v1/backups", params={"page_size": 1000}).json()["backups"]
    assert zhangs["backup_id"] in {backup["id"] for backup in listed}
    assert everything(zhang, zhangs) == before


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    ("claims", "problem"),
    [
        ({"real_name_verified": False, "unit_authorised": False}, "real_name_missing"),
        ({"unit_authorised": False}, "unit_authorisation_missing"),
        ({"roles": ("operator",)}, "not_allowed"),
        ({"unit_authorised": False, "roles": ("person", "unit_administrator")}, "unit_authorisation_missing"),
    ],
    ids=["no real-name check", "no unit", "operator", "administrator without unit"],
)
def test_who_may_not_work_with_backups_is_told_which_step_is_missing_and_where(
    deployment: Deployment,
    routes: list[Route],
    zhangs: dict[str, str],
    claims: dict[str, Any],
    problem: str,
    language: str,
) -> None:
    with deployment.account("zhang", language, **claims) as account:
        for route in routes:
            if route.path in NOBODY or str(route) in ANYBODY:
                continue
            if str(route) in OPERATORS and "operator" in claims.get("roles", ()):
                continue
            refused = send(account, route, **zhangs)
            told = "not_allowed" if str(route) in (*OTHERS, *OPERATORS) else problem
            assert (refused.status_code, refused.json()["type"]) == (403, f"/problems/{told}"), str(route)
            if told != "not_allowed":
                assert "https://apply.hgrg.net" in refused.json()["detail"]
            assert refused.headers["Content-Language"] == {"zh": "zh-CN", "en": "en"}[language]
    with deployment.account("zhang") as again:  # the mirror shows the last token
        again.post("/v1/me/sign-ins", headers=keyed())


def test_without_a_token_only_what_is_the_same_for_everyone_can_be_read(
    deployment: Deployment, routes: list[Route], zhangs: dict[str, str]
) -> None:
    with deployment.visitor() as visitor:
        for route in routes:
            answer = send(visitor, route, **zhangs)
            if route.path in NOBODY:
                assert answer.status_code == 200, str(route)
                continue
            assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthenticated"), str(
                route
            )
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_person_of_the_same_unit_does_not_see_a_colleagues_backups_in_the_list(
    deployment: Deployment, zhangs: dict[str, str]
) -> None:
    with deployment.account("li") as colleague:
        mine = open_draft(colleague)
        listed = {backup["id"] for backup in colleague.get("/v1/backups").json()["backups"]}
    assert mine in listed
    assert zhangs["backup_id"] not in listed


def without_instance(answer: httpx2.Response) -> tuple[Any, ...]:
    """A whole answer, byte by byte, but for the id of the request and the time."""
    request_id = answer.headers["X-Request-Id"]
    headers = sorted(
        (name, value) for name, value in answer.headers.items() if name not in ("x-request-id", "date")
    )
    return answer.status_code, answer.content.replace(request_id.encode(), b""), headers


def everything(account: httpx2.Client, parts: dict[str, str]) -> list[Any]:
    path = f"/v1/backups/{parts['backup_id']}"
    rests = ("", "/steps/project", "/steps/data-files", "/findings")
    return [account.get(path + rest).json() for rest in rests]
