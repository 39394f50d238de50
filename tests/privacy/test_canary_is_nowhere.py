"""A person driven through the whole HTTP API is afterwards in no history, log, metric or clear column."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import psycopg
import pytest
from canary import Search
from database_failures import dsn
from psycopg import sql
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from typer.testing import CliRunner
from visitor import OTHER_UNIT, Visitor, canaries, legacy_export

import api.tokens
import embedded.platform
from api.tokens import DevelopmentIssuer, FictitiousPerson, FictitiousUnit
from cli import legacy
from cli.preparation import prepare
from embedded.platform import Platform
from embedded.process import free_port

PERSON = ("name", "phone", "e-mail")
ON_PURPOSE = "Kanarienvogel"


class Driven(NamedTuple):
    """A platform through which the canaries went."""

    platform: Platform
    folder: Path
    visitor: Visitor
    canaries: dict[str, str]


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driven]:
    folder, birds = tmp_path_factory.mktemp("canary"), canaries()
    with embedded.platform.running(folder) as platform, pytest.MonkeyPatch.context() as patch:
        shown = {f"{part}_metrics": f"127.0.0.1:{free_port()}" for part in ("api", "worker")}
        platform.settings = platform.settings.model_copy(update=shown)
        prepare(platform.settings)
        patch.setenv("TMPDIR", str(folder / "uploads"))
        (folder / "uploads").mkdir()
        platform.start_worker()
        platform.start_api()
        issuer = DevelopmentIssuer(folder / "issuer")
        people = {
            "canary": FictitiousPerson(birds["name"], f"+86{birds['phone']}", "hospital"),
            "odd": FictitiousPerson(birds["name"], f"{birds['phone'][:3]} {birds['phone'][3:]}", "hospital"),
            birds["phone"]: FictitiousPerson(birds["name"], f"+86{birds['phone']}", "institute"),
        }
        patch.setattr(api.tokens, "PEOPLE", api.tokens.PEOPLE | people)
        visitor = Visitor(platform, issuer.token("canary"), birds)
        _import_legacy_backups(platform, visitor, birds, tmp_path_factory.mktemp("legacy"), patch)
        _sign_in_in_every_way(visitor, issuer, birds)
        visitor.is_attributed()
        academy = FictitiousUnit(OTHER_UNIT, "示例学院")
        patch.setattr(api.tokens, "UNITS", api.tokens.UNITS | {"academy": academy})
        visitor.claims_old_backups(issuer.token("zhao", unit="academy"), issuer.token("chen"))
        draft = visitor.opens()
        visitor.fills_in_forms(draft)
        visitor.sends_no_forms(draft)
        visitor.asks_at_wrong_addresses(draft)
        visitor.uploads_lists(draft)
        visitor.attests_to_a_person(draft)
        visitor.meets_failures(draft)
        visitor.finishes(draft)
        visitor.amends_numbered_backups()
        visitor.is_handed_over(issuer.token("chen"), issuer.token("li"))
        yield Driven(platform, folder, visitor, birds)


def _import_legacy_backups(
    platform: Platform, visitor: Visitor, birds: dict[str, str], folder: Path, patch: pytest.MonkeyPatch
) -> None:
    """What the command says and reports must not repeat anything either."""
    file, report = folder / "export.csv", folder / "report.csv"
    file.write_text(legacy_export(birds), "utf-8")
    for name, value in platform.settings.environment().items():
        patch.setenv(name, value)
    done = CliRunner().invoke(legacy.app, ["import", str(file), "--report", str(report), "--json"])
    assert done.exit_code == 1, done.output
    assert report.read_text("utf-8-sig").count("\n") == 8
    visitor.refusals.append(("hgrip legacy import", done.output + report.read_text("utf-8-sig")))


def _sign_in_in_every_way(visitor: Visitor, issuer: DevelopmentIssuer, birds: dict[str, str]) -> None:
    assert visitor.asks("POST", "/v1/me/sign-ins").json()["name"] == birds["name"]
    tokens = {
        issuer.token("canary", real_name_verified=False): 200,
        issuer.token("canary", unit_authorised=False): 200,
        issuer.token("canary", hours=-1): 401,
        issuer.token(birds["phone"]): 200,
        issuer.token("odd"): 401,
        issuer.token("canary")[:-5] + "AAAAA": 401,
        birds["phone"]: 401,
    }
    for token, status in tokens.items():
        assert visitor.asks("POST", "/v1/me/sign-ins", token=token).status_code == status
        visitor.asks("POST", "/v1/backups", token=token, json={"step": "project", "content": visitor.project})


@pytest.fixture
async def plain(driven: Driven) -> Client:
    """A client without our plugin: it sees what anybody at the server sees."""
    settings = driven.platform.settings
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        data_converter=pydantic_data_converter,
    )


async def look_at_temporal(search: Search, plain: Client) -> None:
    """Raw histories, descriptions, visibility rows, ids."""
    async for found in plain.list_workflows():
        search.look("visibility", found.raw_info.SerializeToString())
        handle = plain.get_workflow_handle(found.id, run_id=found.run_id)
        search.look("description", (await handle.describe()).raw_description.SerializeToString())
        request = GetWorkflowExecutionHistoryRequest(
            namespace=plain.namespace, execution=found.raw_info.execution
        )
        while True:
            page = await plain.workflow_service.get_workflow_execution_history(request)
            for event in page.history.events:
                search.look("history", event.SerializeToString())
            if not page.next_page_token:
                break
            request.next_page_token = page.next_page_token


def look_at_tables(search: Search, connection: psycopg.Connection) -> None:
    """Every row of every table, as text; bytes are hex there."""
    names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert len(names) > 10
    for (name,) in names:
        rows = sql.SQL("SELECT {table}::text FROM {table}").format(table=sql.Identifier(name))
        for (row,) in connection.execute(rows):
            search.look(f"table {name}", row)


def test_the_visitor_went_everywhere(driven: Driven) -> None:
    print(driven.visitor.statuses)
    assert driven.visitor.statuses.keys() >= {
        200,
        201,
        400,
        401,
        403,
        404,
        405,
        409,
        412,
        413,
        415,
        422,
        428,
        503,
    }


async def test_no_history_id_or_search_attribute_holds_a_canary(driven: Driven, plain: Client) -> None:
    search = Search(driven.canaries)
    await look_at_temporal(search, plain)
    print(search)
    assert not search.hits, str(search)
    assert search.events > 100


def test_no_file_of_temporal_holds_a_canary(driven: Driven) -> None:
    search = Search(driven.canaries)
    search.look_at_files(path for path in (driven.folder / "temporal").rglob("*") if path.is_file())
    print(search)
    assert not search.hits, str(search)


def test_no_log_metric_or_temporary_file_holds_a_canary(driven: Driven) -> None:
    search = Search(driven.canaries)
    logs = list((driven.folder / "log").iterdir())
    assert {path.name for path in logs} >= {"api.log", "worker.log", "postgres.log", "temporal.log"}
    search.look_at_files(logs)
    search.look_at_files(path for path in (driven.folder / "uploads").rglob("*") if path.is_file())
    ours = (driven.platform.settings.api_metrics, driven.platform.settings.worker_metrics)
    for address in (driven.platform.temporal.metrics_url, *(f"http://{each}/metrics" for each in ours)):
        with urllib.request.urlopen(address) as answer:
            search.look(address, answer.read())
    print(search)
    assert not search.hits, str(search)
    assert "Completing activity as failed" in (driven.folder / "log" / "worker.log").read_text()


def test_no_refusal_or_finding_repeats_a_canary(driven: Driven) -> None:
    search = Search(driven.canaries)
    for asked, answer in driven.visitor.refusals:
        search.look(asked, answer)
    for answer in driven.visitor.findings:
        search.look("finding", answer)
    print(search)
    assert not search.hits, str(search)


def test_no_table_holds_a_canary_in_the_clear(driven: Driven) -> None:
    search = Search(driven.canaries)
    with psycopg.connect(dsn(driven.platform)) as connection:
        look_at_tables(search, connection)
    print(search)
    assert not search.hits, str(search)


def test_no_file_of_the_database_holds_a_canary(driven: Driven) -> None:
    """Its log of changes, temporary files and dead rows included."""
    with psycopg.connect(dsn(driven.platform), autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    search = Search(driven.canaries)
    search.look_at_files(path for path in (driven.folder / "postgres" / "data").rglob("*") if path.is_file())
    print(search)
    assert not search.hits, str(search)


# --- the searches above can find something --------------------------------------------------------


async def test_without_the_codec_the_same_search_finds_a_canary_in_history_and_file(
    driven: Driven, plain: Client
) -> None:
    handle = await plain.start_workflow(
        ON_PURPOSE, ON_PURPOSE * 2, id=f"control-{uuid4()}", task_queue="nobody"
    )
    search = Search({"control": ON_PURPOSE * 2})
    await look_at_temporal(search, plain)
    assert {hit.place for hit in search.hits} == {"history"}
    await handle.terminate()
    in_files = Search({"control": ON_PURPOSE * 2})
    in_files.look_at_files(path for path in (driven.folder / "temporal").rglob("*") if path.is_file())
    assert in_files.hits


def test_the_same_search_finds_a_canary_in_a_clear_column_and_in_the_files_of_the_database(
    driven: Driven,
) -> None:
    search, in_files = Search({"control": ON_PURPOSE}), Search({"control": ON_PURPOSE})
    with psycopg.connect(dsn(driven.platform)) as connection:
        connection.execute("INSERT INTO unit (code, name) VALUES ('0', %s)", [ON_PURPOSE])
        look_at_tables(search, connection)
        connection.execute("CHECKPOINT")
        data = driven.folder / "postgres" / "data"
        in_files.look_at_files(path for path in data.rglob("*") if path.is_file())
        connection.rollback()
    assert {hit.place for hit in search.hits} == {"table unit"}
    assert in_files.hits
