"""``hgrip demo``: a researcher's way from three steps to a backup number, over HTTP, on real servers."""

import json
import shutil
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
from rich.console import Console
from rich.markup import escape

from api.tokens import DevelopmentIssuer
from cli.preparation import prepare
from cli.schedules import put_in_place
from embedded import platform as embedded_platform
from embedded.platform import Platform

console = Console(highlight=False, soft_wrap=True)
EXAMPLES = embedded_platform.REPOSITORY / "examples"
PERSON = "zhang"
PATIENCE = 30
"""Seconds a request is repeated while no worker takes it up."""

PROJECT: dict[str, Any] = json.loads((EXAMPLES / "project.json").read_text("utf-8"))
INFORMATION: dict[str, Any] = json.loads((EXAMPLES / "backup-information.json").read_text("utf-8"))


class DemoError(Exception):
    """The platform answered something that the story does not foresee."""


class Visitor:
    """A person at a keyboard: says what they do, sends it, shows what comes back."""

    def __init__(self, http: httpx2.Client) -> None:
        self._http = http
        self._step = 0

    def says(self, chinese: str, english: str) -> None:
        """Head the next act of the story."""
        self._step += 1
        console.print(f"\n[bold cyan]{self._step}. {escape(chinese)}[/]\n   [dim]{escape(english)}[/]")

    def asks(self, method: str, path: str, *, expect: int, told: str = "", **request: Any) -> Any:
        """Send one request, repeating it with the same key while the platform asks to, and show the answer.

        Raises:
            DemoError: Another status than expected.
        """
        headers = {**request.pop("headers", {})}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid4())
        console.print(f"   → {method} {path} [dim]{escape(told)}[/]")
        until = time.monotonic() + PATIENCE
        while True:
            answer = self._http.request(method, path, headers=headers, **request)
            if answer.status_code != httpx2.codes.SERVICE_UNAVAILABLE or time.monotonic() > until:
                break
            console.print(f"   ← 503 {escape(answer.json()['title'])} [dim]… 重试 / again[/]")
            time.sleep(1)
        if answer.status_code != expect:
            raise DemoError(f"{method} {path}: {answer.status_code} instead of {expect}: {answer.text}")
        return answer.json()

    def sees(self, text: str) -> None:
        """Show one line of an answer."""
        console.print(f"   ← {escape(text)}")


def play(folder: Path) -> None:
    """Start everything on a fresh folder, play the story, stop everything."""
    shutil.rmtree(folder, ignore_errors=True)
    started = time.monotonic()
    with embedded_platform.running(folder) as platform:
        prepare(platform.settings)
        put_in_place(platform.settings)
        issuer = DevelopmentIssuer(folder / "issuer")
        platform.start_worker()
        platform.start_api()
        console.print(f"平台已就绪 / The platform is ready: {platform.api_url}/docs")
        token = issuer.token(PERSON)
        headers = {"Authorization": f"Bearer {token}", "Accept-Language": "zh-CN"}
        with httpx2.Client(base_url=platform.api_url, headers=headers, timeout=30) as http:
            _story(Visitor(http), platform)
    seconds = time.monotonic() - started
    console.print(f"\n[dim]全部进程已退出，用时 {seconds:.0f} 秒 / all processes have ended[/]")


def _story(visitor: Visitor, platform: Platform) -> None:
    backup = _project(visitor)
    _crash(visitor, platform)
    _information(visitor, backup)
    revision = _list_with_wrong_rows(visitor, backup)
    _refused(visitor, backup)
    _corrected_list(visitor, backup, revision)
    _number(visitor, backup)


def _project(visitor: Visitor) -> str:
    visitor.says("登录", "Sign in")
    me = visitor.asks("POST", "/v1/me/sign-ins", expect=200)
    visitor.sees(f"单位 {me['unit_name']}，可办理备份 / may register backups")

    visitor.says("① 填写项目信息，保存即建立草稿", "① Project: the first save opens the draft")
    saved = visitor.asks(
        "POST", "/v1/backups", expect=201, told=PROJECT["title"], json={"step": "project", "content": PROJECT}
    )
    backup: str = saved["backup_id"]
    visitor.sees(f"草稿 {backup}，版本 {saved['revision']}，{_counted(saved['findings'])}")
    visitor.sees(f"有效期至 {saved['expires_at']} / expires")
    return backup


def _crash(visitor: Visitor, platform: Platform) -> None:
    visitor.says("此时 worker 进程被 kill -9", "Now the worker is killed with SIGKILL")
    platform.kill_worker()
    visitor.sees("worker 已终止；草稿在 Temporal 与 PostgreSQL 中 / the draft is in Temporal and PostgreSQL")
    platform.start_worker()
    visitor.sees("新的 worker 已启动 / a new worker has started")


def _information(visitor: Visitor, backup: str) -> None:
    visitor.says("② 填写备份信息：草稿接着办理", "② Backup information: the draft goes on")
    saved = visitor.asks(
        "PUT",
        f"/v1/backups/{backup}/steps/backup-information",
        expect=200,
        told=INFORMATION["title"],
        json=INFORMATION,
        headers={"If-Match": '"0"'},
    )
    visitor.sees(f"已保存，版本 {saved['revision']}，{_counted(saved['findings'])}")
    _show(visitor, saved["remarks"])


def _list_with_wrong_rows(visitor: Visitor, backup: str) -> int:
    visitor.says("③ 上传数据文件清单（其中几行有误）", "③ A file list with some wrong rows")
    saved = _upload(visitor, backup, EXAMPLES / "file-list-with-faults.csv", 0)
    visitor.sees(f"{saved['manifest']['rows']} 行已保存，{_counted(saved['findings'])}")
    page = visitor.asks("GET", f"/v1/backups/{backup}/findings?step=data-files&severity=error", expect=200)
    _show(visitor, page["findings"])
    return int(saved["revision"])


def _refused(visitor: Visitor, backup: str) -> None:
    visitor.says("提交：有错误，不予受理，草稿不变", "Submit: errors block, the draft stays as it is")
    verdict = visitor.asks("POST", f"/v1/backups/{backup}/submission", expect=200)
    visitor.sees(f"结论 {verdict['verdict']}：{verdict['errors']} 处错误 / errors")
    if verdict["verdict"] != "rejected":
        raise DemoError("a list with wrong rows was accepted")


def _corrected_list(visitor: Visitor, backup: str, revision: int) -> None:
    visitor.says("上传改正后的清单", "Upload the corrected list")
    saved = _upload(visitor, backup, EXAMPLES / "file-list.csv", revision)
    visitor.sees(f"{saved['manifest']['rows']} 行已保存，{_counted(saved['findings'])}")


def _number(visitor: Visitor, backup: str) -> None:
    visitor.says("再次提交", "Submit again")
    verdict = visitor.asks("POST", f"/v1/backups/{backup}/submission", expect=200)
    if verdict["verdict"] != "accepted":
        raise DemoError(f"not accepted: {verdict}")
    visitor.sees(f"结论 {verdict['verdict']}，规则版本 {verdict['judged_by']['version']}")
    console.print(f"\n   [bold green]备份编号 / backup number: {verdict['number']}[/]")


def _upload(visitor: Visitor, backup: str, path: Path, revision: int) -> Any:
    return visitor.asks(
        "POST",
        f"/v1/backups/{backup}/steps/data-files/manifests",
        expect=201,
        told=path.name,
        content=path.read_bytes(),
        headers={"Content-Type": "text/csv", "If-Match": f'"{revision}"'},
    )


def _counted(findings: dict[str, int]) -> str:
    return f"错误 {findings['errors']}、提示 {findings['warnings']}、建议 {findings['advice']}"


def _show(visitor: Visitor, findings: list[dict[str, Any]]) -> None:
    for finding in findings:
        told = finding["rule"].startswith("file.")  # such a sentence names its line itself
        place = f"第 {finding['line']} 行 " if finding["line"] and not told else ""
        visitor.sees(f"[{finding['severity']}] {place}{finding['message']}（{finding['rule']}）")
