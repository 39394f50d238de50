"""``make drill``: break one thing after another, see it in the list, free it by what the list says."""

import csv
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
from pydantic import HttpUrl, SecretStr
from rich.console import Console
from rich.markup import escape
from sqlalchemy import make_url

from api.tokens import UNITS, DevelopmentIssuer
from cli.demo import INFORMATION, PROJECT
from cli.preparation import prepare
from cli.schedules import put_in_place
from drill.gates import Carrier, Gate, neighbours
from embedded import platform as embedded_platform
from embedded.platform import REPOSITORY, Platform

FOLDER = Path("var/drill")
WITHIN = 60
"""Seconds in which what is wrong has to be seen."""
FREED = 90
"""Seconds in which what was freed has to be done."""
AWAY = 60
"""Seconds for which the database is away."""
REGISTRANT = ("孙示例", "15400000009")
MANY = 3
IN_TRANSIT = """file_name,repository,accession,category,data_type,file_format,md5,deposit
t1.fastq.gz,gsa-human,HRA000002,wgs,raw,fastq,00000000000000000000000000000001,in_transit
"""

console = Console(highlight=False, soft_wrap=True)


class DrillError(Exception):
    """Something was not seen, not freed, or is lost."""


class Drill:
    """The platform behind gates, a researcher, and an operator."""

    def __init__(self, platform: Platform, gates: dict[str, Gate]) -> None:
        self.platform, self.gates = platform, gates
        issuer = DevelopmentIssuer(FOLDER / "issuer")
        self.person, self.operator = (_signed_in(platform, issuer, who) for who in ("zhang", "operator"))
        self._background = ThreadPoolExecutor(2)

    # --- what is told -----------------------------------------------------------------------------

    def heads(self, chinese: str, english: str) -> None:
        """Begin a scene."""
        console.print(f"\n[bold cyan]{escape(chinese)}[/]\n[dim]{escape(english)}[/]")

    def tells(self, text: str) -> None:
        """Show one line."""
        console.print(f"   {escape(text)}")

    # --- what people do ---------------------------------------------------------------------------

    def asks(self, method: str, path: str, key: str | None = None, **request: Any) -> httpx2.Response:
        """One request of the researcher's."""
        headers = {**request.pop("headers", {})}
        if method == "POST":
            headers["Idempotency-Key"] = key or str(uuid4())
        return self.person.request(method, path, headers=headers, **request)

    def meanwhile(self, ask: Callable[[], httpx2.Response]) -> "Future[httpx2.Response]":
        """A request that is not waited for."""
        return self._background.submit(ask)

    def draft(self) -> str:
        """A new draft."""
        saved = self.asks("POST", "/v1/backups", json={"step": "project", "content": PROJECT})
        backup: str = _expected(saved, 201).json()["backup_id"]
        return backup

    def saves(self, backup: str, revision: int = 0) -> httpx2.Response:
        """Save the second step."""
        path = f"/v1/backups/{backup}/steps/backup-information"
        return self.asks("PUT", path, json=INFORMATION, headers={"If-Match": f'"{revision}"'})

    def keeps_saving(self, backup: str) -> None:
        """Repeat a save, as the platform asks to, until it is done; it must be done once."""
        _until(lambda: self.saves(backup).status_code in (200, 412), FREED, "the save is never done")
        step = _expected(self.asks("GET", f"/v1/backups/{backup}/steps/backup-information"), 200).json()
        if step["revision"] != 1:
            raise DrillError(f"saved {step['revision']} times instead of once")

    # --- what the operator does -------------------------------------------------------------------

    def sees(self, case: str, *causes: str) -> None:
        """What the list says of a case, in words, as soon as it names one of these causes."""
        began = time.monotonic()
        rows: list[dict[str, Any]] = []

        def listed() -> bool:
            answer = _expected(self.operator.get("/v1/ops/stuck", params={"page_size": 1000}), 200)
            rows[:] = [
                row for row in answer.json()["stuck"] if row["case_id"] == case and row["cause"] in causes
            ]
            return bool(rows)

        _until(listed, WITHIN, f"the stuck list does not show it as {' or '.join(causes)}")
        row = rows[0]
        self.tells(f"滞留清单 {time.monotonic() - began:.0f} 秒后显示：{row['title']}。{row['meaning']}")
        self.tells(f"怎么办：{row['advice']}")
        self.tells(f"可选：{'、'.join(action['title'] for action in row['actions'])}")

    def acts(self, case: str, action: str, reason: str, **more: Any) -> None:
        """Do what the list offers."""
        seen = _expected(self.operator.get(f"/v1/ops/cases/{case}"), 200).json()
        offered = {each["action"] for row in seen["stuck"] for each in row["actions"]}
        if action not in offered:
            raise DrillError(f"{action} is not offered: {sorted(offered)}")
        headers = {"Idempotency-Key": str(uuid4()), "If-Match": f'"{seen["revision"]}"'}
        body = {"action": action, "reason": reason, **more}
        done = self.operator.post(f"/v1/ops/cases/{case}/actions", json=body, headers=headers)
        _expected(done, 200)
        self.tells(f"运维操作：{action}（{reason}）")

    def is_off_the_list(self, case: str) -> None:
        """Wait until the list does not show the case any more."""

        def gone() -> bool:
            answer = _expected(self.operator.get("/v1/ops/stuck", params={"page_size": 1000}), 200)
            return all(row["case_id"] != case for row in answer.json()["stuck"])

        _until(gone, FREED, "the stuck list goes on showing it")
        self.tells("已从滞留清单消失 / off the list")


def carrier_dead(drill: Drill) -> None:
    """A claim waits for its code while nobody reaches the carrier."""
    drill.heads("一、短信网关失联", "1. The SMS gateway is dead")
    drill.gates["carrier"].turn("shut")
    name, phone = REGISTRANT
    claim = _expected(drill.asks("POST", "/v1/claims", json={"name": name, "phone": phone}), 202).json()["id"]
    drill.tells("申请人认领原备份，验证码发不出去 / a claim whose code cannot be sent")
    drill.sees(claim, "activity_retrying", "delivery_failed")
    drill.gates["carrier"].turn("open")
    drill.acts(claim, "retry", "短信网关已恢复 / the gateway is back")
    _until(lambda: phone in Carrier.codes, FREED, "no code arrives")
    tried = drill.asks("POST", f"/v1/claims/{claim}/code-attempts", json={"code": Carrier.codes[phone]})
    if tried.status_code not in (200, 202):
        raise DrillError(f"the code is not taken: {tried.text}")
    drill.is_off_the_list(claim)
    moved = lambda: _expected(drill.asks("GET", f"/v1/claims/{claim}"), 200).json()["state"] == "moved"  # noqa: E731
    _until(moved, FREED, "the claim does not move")
    held = _expected(drill.asks("GET", "/v1/backups"), 200).json()["backups"]
    if len(held) != MANY:
        raise DrillError(f"{len(held)} backups instead of {MANY}")
    drill.tells(f"{MANY} 个备份已归入 / the backups are in the account")


def repository_hangs(drill: Drill) -> None:
    """A draft's look-up gets no answer."""
    drill.heads("二、数据资源库没有应答", "2. A repository hangs")
    backup = drill.draft()
    path = f"/v1/backups/{backup}/steps/data-files/manifests"
    headers = {"Content-Type": "text/csv", "If-Match": '"0"'}
    _expected(drill.asks("POST", path, content=IN_TRANSIT.encode(), headers=headers), 201)
    drill.gates["repository"].turn("hanging")
    asked = drill.meanwhile(lambda: drill.asks("POST", f"/v1/backups/{backup}/deposit-checks", json={}))
    drill.tells("申请人请平台核对递交，资源库不答 / the researcher asks, the repository does not answer")
    drill.sees(backup, "repository_silent")
    if asked.result().status_code not in (200, 202):
        raise DrillError(f"the researcher is not answered: {asked.result().text}")
    drill.gates["repository"].turn("open")
    drill.acts(backup, "retry", "资源库已恢复 / the repository is back")
    drill.is_off_the_list(backup)
    drill.keeps_saving(backup)


def database_away(drill: Drill) -> None:
    """Nothing can be read or written for a minute."""
    drill.heads("三、数据库中断一分钟", "3. The database is away for a minute")
    backup = drill.draft()
    drill.gates["database"].turn("shut")
    began = time.monotonic()
    asked = drill.meanwhile(lambda: drill.saves(backup))
    drill.tells("申请人此时保存第二步 / the researcher saves meanwhile")
    unready = lambda: drill.person.get("/readyz").status_code == 503  # noqa: E731
    _until(unready, WITHIN, "nothing tells that the database is away")
    for state in drill.person.get("/readyz").json()["checks"]:
        if state["state"] == "failed":
            drill.tells(f"/readyz：{state['mend']['zh']}")
    found = _hgrip(drill.platform, "doctor")
    if found.returncode == 0:
        raise DrillError("hgrip doctor finds nothing wrong")
    drill.tells("hgrip doctor：")
    console.print("\n".join(f"     {line}" for line in found.stdout.splitlines()), markup=False)
    drill.tells(f"保存得到 {asked.result().status_code} / the save is told to come again")
    time.sleep(max(0.0, AWAY - (time.monotonic() - began)))
    drill.gates["database"].turn("open")
    ready = lambda: drill.person.get("/readyz").status_code == 200  # noqa: E731
    _until(ready, FREED, "the platform does not come back")
    drill.keeps_saving(backup)
    drill.tells("数据库恢复后，同一保存完成，恰好一次 / the same save is done, once")


def broken_version(drill: Drill) -> None:
    """A worker is deployed whose code cannot take drafts further."""
    drill.heads("四、部署了有错误的 worker", "4. A broken worker version is deployed")
    backup = drill.draft()
    drill.platform.stop_worker()
    drill.platform.start_worker(REPOSITORY / "drill" / "broken_worker.py")
    asked = drill.meanwhile(lambda: drill.saves(backup))
    drill.sees(backup, "task_failures")
    asked.result()
    drill.platform.stop_worker()
    drill.platform.start_worker()
    drill.tells("换回原版本 / the version that works is back")
    drill.keeps_saving(backup)
    drill.is_off_the_list(backup)


def key_rotated(drill: Drill) -> None:
    """The API encrypts with a key that the worker does not have yet."""
    drill.heads("五、轮换密钥时漏了 worker", "5. A key is rotated and the worker is forgotten")
    backup = drill.draft()
    settings = drill.platform.settings
    rotated = FOLDER / "keys-rotated.json"
    shutil.copy(settings.keys_file, rotated)
    if _hgrip(drill.platform, "rotate-keys", str(rotated)).returncode:
        raise DrillError("the keys cannot be rotated")
    drill.platform.stop_api()
    drill.platform.settings = settings.model_copy(update={"keys_file": rotated})
    drill.platform.start_api()
    drill.person.base_url = drill.operator.base_url = httpx2.URL(drill.platform.api_url)
    asked = drill.meanwhile(lambda: drill.saves(backup))
    drill.sees(backup, "task_failures")
    asked.result()
    drill.platform.stop_worker()
    drill.platform.start_worker()
    drill.tells("worker 带着新密钥重启 / the worker restarts with the new key")
    drill.keeps_saving(backup)
    drill.is_off_the_list(backup)


SCENES = (carrier_dead, repository_hangs, database_away, broken_version, key_rotated)


def main() -> None:
    """Play all scenes, or those named on the command line; exit code 1 where one goes wrong."""
    chosen = [scene for scene in SCENES if not sys.argv[1:] or scene.__name__ in sys.argv[1:]]
    shutil.rmtree(FOLDER, ignore_errors=True)
    try:
        with _behind_gates() as drill:
            for scene in chosen:
                scene(drill)
    except DrillError as wrong:
        console.print(f"\n演练未通过 / The drill failed: {wrong}", style="red", markup=False)
        raise SystemExit(1) from None
    console.print("\n[bold green]演练通过，没有任何丢失 / The drill is done, nothing is lost[/]")


@contextmanager
def _behind_gates() -> Iterator[Drill]:
    with embedded_platform.running(FOLDER) as platform, neighbours() as port:
        prepare(platform.settings)
        put_in_place(platform.settings)
        _import_registrant(platform)
        url = make_url(platform.settings.database_url.get_secret_value())
        gates = {"carrier": Gate(port), "repository": Gate(port), "database": Gate(url.port or 5432)}
        behind = url.set(port=gates["database"].port).render_as_string(hide_password=False)
        platform.settings = platform.settings.model_copy(
            update={
                "database_url": SecretStr(behind),
                "repository_lookup": "cncb",
                "repository_url": HttpUrl(f"http://127.0.0.1:{gates['repository'].port}"),
                "sms_carrier": "aliyun",
                "sms_endpoint": HttpUrl(f"http://127.0.0.1:{gates['carrier'].port}"),
                "sms_key_id": "drill",
                "sms_key_secret": SecretStr("drill"),
                "sms_signature": "drill",
                "sms_claim_code_template": "SMS_1",
                "sms_step_up_code_template": "SMS_2",
            }
        )
        platform.start_worker()
        platform.start_api()
        drill = Drill(platform, gates)
        _expected(drill.asks("POST", "/v1/me/sign-ins"), 200)
        console.print(f"平台已就绪 / The platform is ready: {platform.api_url}")
        try:
            yield drill
        finally:
            for gate in gates.values():
                gate.turn("open")
            platform.stop()
            for gate in gates.values():
                gate.close()


def _import_registrant(platform: Platform) -> None:
    """Old backups of somebody whose number has changed."""
    path = FOLDER / "legacy.csv"
    name, phone = REGISTRANT
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["姓名", "手机号", "单位", "备份编号", "日期", "项目名称"])
        for number in range(MANY):
            rows.writerow([name, phone, UNITS["hospital"].code, f"HGR{number:04}", "2019-05-28", "演练"])
    imported = _hgrip(platform, "legacy", "import", str(path))
    if imported.returncode:
        raise DrillError(f"the import fails: {imported.stdout}{imported.stderr}")


def _hgrip(platform: Platform, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **platform.settings.environment()}
    command = [str(Path(sys.executable).parent / "hgrip"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603


def _signed_in(platform: Platform, issuer: DevelopmentIssuer, who: str) -> httpx2.Client:
    headers = {"Authorization": f"Bearer {issuer.token(who)}", "Accept-Language": "zh-CN"}
    return httpx2.Client(base_url=platform.api_url, headers=headers, timeout=60)


def _expected(answer: httpx2.Response, status: int) -> httpx2.Response:
    if answer.status_code != status:
        raise DrillError(
            f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}"
        )
    return answer


def _until(what: Callable[[], bool], seconds: float, otherwise: str) -> None:
    give_up = time.monotonic() + seconds
    while not what():
        if time.monotonic() > give_up:
            raise DrillError(f"{otherwise} ({seconds:g} s)")
        time.sleep(0.5)


if __name__ == "__main__":
    main()
