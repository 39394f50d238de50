"""The timeline of a case on real servers: what an operator reads, and what nobody does."""

import asyncio
import json
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from backup_desk import file_list
from claims_town import ADMINISTRATOR, Town, refusal, until, wrong
from handover_ward import Ward
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.service import RPCError, RPCStatusCode
from timeline_reader import Reader

from cli.timeline import print_timeline
from wire import executions, histories

CANARY_NAME, CANARY_PHONE = "孟金丝雀", "13911118888"


async def submitted(ward: Ward) -> UUID:
    """A backup that has its number."""
    draft = await ward.fills(ward.old)
    answer = await ward.old.asks("POST", f"{draft}/submission")
    assert answer.json()["number"], answer.text
    return UUID(draft.rpartition("/")[2])


async def waiting(ward: Ward) -> UUID:
    """A draft whose deposits are on their way."""
    draft = await ward.fills(ward.old)
    headers = {"Content-Type": "text/csv", "Idempotency-Key": str(uuid4()), "If-Match": '"1"'}
    listed = file_list(in_transit=["gvm"])
    answer = await ward.old.http.post(f"{draft}/steps/data-files/manifests", content=listed, headers=headers)
    assert answer.status_code == 201, answer.text
    return UUID(draft.rpartition("/")[2])


def in_order(sentences: list[str], *wanted: str) -> bool:
    """Whether these sentences stand there in this order, among others."""
    rest = iter(sentences)
    return all(any(words in sentence for sentence in rest) for words in wanted)


async def test_a_plain_backup_is_told_from_its_first_save_to_its_number_in_both_languages(
    town: Town, operator: Reader
) -> None:
    ward = await Ward.built(town)
    backup = await submitted(ward)
    await until(lambda: town.value("SELECT number FROM backup WHERE id = :id", id=backup))
    await town.client.get_workflow_handle(f"backup-{backup}").result()
    number = town.value("SELECT number FROM backup WHERE id = :id", id=backup)
    who = str(ward.old.account)[:8]
    assert await operator.sentences(backup) == [
        f"流程开始：备份 {str(backup)[:8]} · 单位 {ward.unit} · 规则 2023.7.1",
        f"申请人 {who}：保存步骤 project（第 1 版）",
        (await operator.sentences(backup))[2],
        f"申请人 {who}：保存步骤 backup-information（第 1 版）",
        f"申请人 {who}：保存步骤 data-files（第 1 版）",
        f"申请人 {who}：提交，校验合格，备份编号 {number}",
        "阶段：已编号",
        "流程办结",
    ]
    assert "下一个期限" in (await operator.sentences(backup))[2]
    assert in_order(
        await operator.sentences(backup, "en"),
        "The workflow begins: BackupCreation",
        f"Applicant {who}: saves step project (revision 1)",
        f"Applicant {who}: submits; accepted as backup number {number}",
        "Stage: Numbered",
    )
    page = await operator.page(backup)
    assert (page["history"], page["note"]) == ("read", None)
    assert page["web_ui"] == f"https://temporal.test/namespaces/hgr/workflows/backup-{backup}"


async def test_a_look_up_that_fails_is_told_with_its_attempt_and_when_it_is_tried_again(
    town: Town, operator: Reader, repositories: Any
) -> None:
    ward = await Ward.built(town)
    backup = await waiting(ward)
    repositories.failures = 3
    asking = asyncio.create_task(
        ward.old.asks("POST", f"/v1/backups/{backup}/deposit-checks", json={}), name="deposit check"
    )
    async with asyncio.timeout(30):
        while "第 3 次查询 gvm 超时，4 秒后重试" not in (said := await operator.sentences(backup)):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert in_order(said, "阶段：等待递交", "第 3 次查询 gvm 超时，4 秒后重试")
    assert "Attempt 3 at looking up gvm: timed out; tried again after 4 s" in await operator.sentences(
        backup, "en"
    )
    assert (await asking).status_code == 200
    told = await operator.entries(backup)
    retried = next(entry for entry in told if entry["kind"] == "problem")
    assert retried["text"]["zh"] == "查询 gvm：前 3 次超时，第 4 次重试"
    assert retried["severity"] == "warning"
    assert in_order([entry["text"]["zh"] for entry in told], "查询 gvm：完成", "核对递交情况：尚未收到 gvm")


async def test_a_claim_tells_of_wrong_codes_of_messages_and_of_the_move_but_of_nobody(
    town: Town, operator: Reader
) -> None:
    unit = town.unit()
    person = await town.person(unit, name=CANARY_NAME, phone=f"+86{CANARY_PHONE}")
    claim = await person.claims(town.registrant(unit, name=CANARY_NAME))
    code = await town.code(claim)
    for _ in range(2):
        await person.tries(claim, wrong(code))
    await person.proves(claim)
    await town.handle(claim).result()
    told = await operator.entries(claim)
    assert in_order(
        [entry["text"]["zh"] for entry in told],
        "流程开始：个人认领",
        "提出个人认领",
        "正在受理 → 等待验证码",
        "短信已发出",
        "验证码错误或失效",
        "验证码错误或失效",
        "验证码正确",
        "移交 3 份备份",
        "流程办结",
    )
    assert [entry["severity"] for entry in told if "验证码错误" in entry["text"]["zh"]] == ["warning"] * 2
    everything = json.dumps(told, ensure_ascii=False)
    for entry in told:
        if entry["event_id"]:
            everything += json.dumps(await operator.event(claim, entry["event_id"]), ensure_ascii=False)
    assert "下一个期限" in everything, "the check below looks at what was said"
    for hidden in (CANARY_NAME, CANARY_PHONE, code):
        assert hidden not in everything


async def test_a_handover_is_told_by_itself_and_in_each_backup_it_moves(town: Town, operator: Reader) -> None:
    ward = await Ward.built(town)
    backup = await submitted(ward)
    digest = (await ward.previewed())["digest"]
    first = (await ward.confirms(digest)).json()["id"]
    back = (await ward.previewed(ward.old, of=ward.heir))["digest"]
    second = (await ward.confirms(back, ward.old, of=ward.heir)).json()["id"]
    for handover in (first, second):
        assert in_order(
            await operator.sentences(handover),
            f"流程开始：移交 {handover[:8]}",
            "提出移交",
            "移交 1 份备份",
            "正在移交 → 已移交",
            "流程办结",
        )
    old, heir = str(ward.old.account)[:8], str(ward.heir.account)[:8]
    assert in_order(
        await operator.sentences(backup),
        "已编号",
        f"委托人由账号 {old} 变为账号 {heir}",
        f"委托人由账号 {heir} 变为账号 {old}",
    )


async def test_when_temporal_has_forgotten_a_case_our_own_records_still_tell_it_and_say_so(
    town: Town, operator: Reader
) -> None:
    ward = await Ward.built(town)
    backup = await submitted(ward)
    workflow_id = f"backup-{backup}"
    await town.client.get_workflow_handle(workflow_id).result()
    before = await operator.sentences(backup)
    execution = WorkflowExecution(workflow_id=workflow_id)
    request = DeleteWorkflowExecutionRequest(namespace=town.client.namespace, workflow_execution=execution)
    async with asyncio.timeout(90):
        while (page := await operator.page(backup))["history"] == "read":
            with suppress(RPCError):  # of one that has just closed, Temporal may forget to delete it
                await town.client.workflow_service.delete_workflow_execution(request)
            await asyncio.sleep(0.5)
    assert page["history"] == "gone"
    assert "不再保存" in page["note"]["zh"]
    said = [entry["text"]["zh"] for entry in page["entries"]]
    assert said == [sentence for sentence in before if sentence.startswith("申请人")]
    assert in_order(said, "保存步骤 project", "备份编号")


async def test_while_temporal_is_away_our_own_records_are_shown_and_it_is_said_that_more_is_missing(
    town: Town, operator: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = await submitted(await Ward.built(town))

    async def away(*_: object) -> None:
        raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")

    monkeypatch.setattr(executions, "describe", away)
    page = await operator.page(backup)
    assert page["history"] == "unreachable"
    assert in_order([entry["text"]["zh"] for entry in page["entries"]], "保存步骤 project", "备份编号")


async def test_pages_together_are_the_timeline_and_the_command_prints_all_of_it(
    town: Town, operator: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    backup = await submitted(await Ward.built(town))
    await town.client.get_workflow_handle(f"backup-{backup}").result()
    whole = await operator.entries(backup)
    bodies = [await operator.page(backup, page_size=3)]
    while token := bodies[-1]["pagination"]["next_page_token"]:
        bodies.append(await operator.page(backup, page_size=3, page_token=token))
    assert [entry for body in bodies for entry in body["entries"]] == whole
    assert [len(body["entries"]) for body in bodies] == [3, 3, 2]

    def get(path: str, query: dict[str, Any]) -> dict[str, Any]:
        assert path == f"/v1/ops/cases/{backup}/timeline"
        return bodies[0] if "page_token" not in query else bodies.pop(1)

    print_timeline(get, str(backup), "zh", as_json=False)
    printed = capsys.readouterr().out
    assert in_order(printed.splitlines(), *[entry["text"]["zh"] for entry in whole], "https://temporal.test")


async def test_a_raw_event_shows_structure_and_words_for_operators_and_masks_the_rest(
    town: Town, operator: Reader
) -> None:
    ward = await Ward.built(town)
    backup = await submitted(ward)
    described = await executions.describe(town.client, f"backup-{backup}")
    (run,) = await histories.runs(town.client, f"backup-{backup}", described)
    started = await operator.event(backup, f"history.{run.run_id}.1")
    attributes = started["event"]["workflowExecutionStartedEventAttributes"]
    assert json.loads(started["event"]["userMetadata"]["summary"]).startswith("备份 ")
    opening = json.loads(attributes["input"]["payloads"][0])
    assert opening["backup_id"].startswith(str(backup)[:8])
    for entry in await operator.entries(backup):
        if entry["event_id"]:
            event = json.dumps(await operator.event(backup, entry["event_id"]))
            assert str(ward.old.account) not in event, "ids of accounts are shortened"
    assert started["web_ui"].endswith(f"/backup-{backup}/{run.run_id}/history")


@pytest.mark.parametrize("roles", [("person",), ADMINISTRATOR, ("policy",), ("auditor",)])
async def test_nobody_but_an_operator_reads_timelines(town: Town, roles: Any) -> None:
    ward = await Ward.built(town)
    backup = await submitted(ward)
    other = await town.person(ward.unit, roles)
    for path in ("timeline", "timeline/record.1/event"):
        answer = await other.http.get(f"/v1/ops/cases/{backup}/{path}")
        assert refusal(answer) == (403, "not_allowed")


async def test_what_is_unknown_anothers_or_malformed_is_refused_without_being_repeated(
    town: Town, operator: Reader
) -> None:
    ward = await Ward.built(town)
    mine, others = await submitted(ward), await submitted(ward)
    foreign = next(
        e["event_id"] for e in await operator.entries(others) if "history" in (e["event_id"] or "")
    )
    record = next(e["event_id"] for e in await operator.entries(others) if "record" in (e["event_id"] or ""))

    async def asked(path: str) -> httpx2.Response:
        return await operator.person.http.get(f"/v1/ops/cases/{path}")

    assert refusal(await asked(f"{uuid4()}/timeline")) == (404, "not_found")
    assert refusal(await asked(f"{mine}/timeline/{foreign}/event")) == (404, "not_found")
    assert refusal(await asked(f"{mine}/timeline/{record}/event")) == (404, "not_found")
    assert refusal(await asked(f"{mine}/timeline/record.999999999/event")) == (404, "not_found")
    for malformed in (
        "张三/timeline",
        f"{mine}/timeline/record.0/event",
        f"{mine}/timeline/张三/event",
        f"{mine}/timeline/history.{mine}.0/event",
        f"{mine}/timeline?page_token=张三",
        f"{mine}/timeline?page_size=0",
    ):
        answer = await asked(malformed)
        assert answer.status_code in (400, 422), malformed
        assert "张三" not in answer.text
