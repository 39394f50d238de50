"""What ``hgrip ops timeline`` prints: what happened to one case, a line for each thing."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

from rich.markup import escape

from cli.terminal import console, print_json
from schemas.stages import CHINA
from schemas.texts import Language

Get = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Sends a GET to the API: path and query in, the answer's body out."""
COLOURS = {"info": "default", "warning": "yellow", "error": "red"}
PAGE = 200


def print_timeline(get: Get, case_id: str, language: Language, *, as_json: bool) -> None:
    """Print the timeline of a case, or, for programs, all of it as one JSON document."""
    pages = list(_pages(get, case_id))
    if as_json:
        entries = [entry for page in pages for entry in page["entries"]]
        print_json({**pages[0], "entries": entries, "pagination": {"next_page_token": None}})
        return
    for page in pages:
        for entry in page["entries"]:
            at = datetime.fromisoformat(entry["at"]).astimezone(CHINA)
            colour = COLOURS[entry["severity"]]
            console.print(f"[dim]{at:%Y-%m-%d %H:%M:%S}[/]  [{colour}]{escape(entry['text'][language])}[/]")
    if pages[-1]["note"]:
        console.print(pages[-1]["note"][language], style="yellow", markup=False)
    if pages[-1]["web_ui"]:
        console.print(pages[-1]["web_ui"], style="dim", markup=False)


def _pages(get: Get, case_id: str) -> Iterator[dict[str, Any]]:
    query: dict[str, Any] = {"page_size": PAGE}
    while True:
        page = get(f"/v1/ops/cases/{quote(case_id, safe='')}/timeline", query)
        yield page
        token = page["pagination"]["next_page_token"]
        if token is None:
            return
        query["page_token"] = token
