"""A list of a million rows through a real API process: in constant memory, and no longer a history for it."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from http_deployment import open_draft, upload

import embedded.platform
from api.tokens import DevelopmentIssuer
from cli.preparation import prepare
from embedded.platform import Platform
from settings import Settings
from wire.client import connect

ROWS = 1_000_000
BLOCK = 10_000
MOST_MB = 300
HEADER = b"file_name,repository,accession,run,category,data_type,file_format,size_bytes,md5\n"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with embedded.platform.running(tmp_path_factory.mktemp("million")) as running:
        prepare(running.settings)
        running.start_worker()
        running.start_api()
        yield running


@pytest.mark.timeout(300)
def test_a_million_rows_take_no_more_memory_and_no_longer_history_than_the_limit_and_one_row(
    platform: Platform,
) -> None:
    token = DevelopmentIssuer(Path(platform.settings.jwks).parent).token("zhang")
    headers = {"Authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=platform.api_url, headers=headers, timeout=200) as account:
        drafts = []
        for rows in (1, ROWS):
            draft = open_draft(account)
            saved = upload(account, draft, a_list(rows))
            assert (saved.status_code, saved.json()["manifest"]["rows"]) == (201, rows), saved.text
            assert saved.json()["findings"] == {"errors": 0, "warnings": 0, "advice": 0}
            drafts.append(draft)
        last = account.get(f"/v1/backups/{drafts[1]}/steps/data-files/data-files", params={"page_size": 1})
        assert last.json()["data_files"][0]["file_name"] == "f0000000.fastq.gz"
    one, million = asyncio.run(histories(platform.settings, drafts))
    assert million == one
    assert peak_mb(platform.pid("api")) <= MOST_MB


def a_list(rows: int) -> Iterator[bytes]:
    """Flawless rows, made as they are sent."""
    yield HEADER
    for start in range(0, rows, BLOCK):
        yield b"".join(
            b"f%07d.fastq.gz,gsa-human,HRA009001,HRR%07d,wgs,raw,fastq,48213377012,%032x\n" % (n, n, n)
            for n in range(start, min(start + BLOCK, rows))
        )


async def histories(settings: Settings, backups: list[str]) -> list[list[int]]:
    """The kinds of events of each backup's workflow, in order."""
    client = await connect(settings)
    return [
        [
            event.event_type
            for event in (await client.get_workflow_handle(f"backup-{id_}").fetch_history()).events
        ]
        for id_ in backups
    ]


def peak_mb(pid: int) -> float:
    """The largest resident memory a process ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024 / 1e6
