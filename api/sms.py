"""What comes from carriers of text messages, and, in development, the inbox that stands for a phone."""

from collections.abc import Sequence
from datetime import UTC, datetime
from hmac import compare_digest
from html import escape
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from fastapi import APIRouter, Body, Depends
from starlette.responses import HTMLResponse

from api.bodies import StrictRoute
from api.platform import Platform, PlatformDep
from schemas.errors import Refusal
from schemas.http.sms import AliyunReport, AliyunTaken, TencentReport, TencentTaken
from settings import Settings
from store import sms
from store.database import reading, writing

log = structlog.get_logger()

CHINA = ZoneInfo("Asia/Shanghai")
SHOWN = 50
"""Messages on the page."""

AliyunReports = Annotated[
    list[AliyunReport], Body(examples=[[{"biz_id": "9006^0", "out_id": "", "success": True}]])
]
TencentReports = Annotated[
    list[TencentReport], Body(examples=[[{"sid": "5000:1045", "report_status": "SUCCESS"}]])
]


def router(settings: Settings) -> APIRouter:
    """The addresses; the settings say which of them there are.

    Receipts take no Idempotency-Key and no token: their shape is the carriers', whose consoles hold an
    address and nothing else. So the last part of the address is the secret, and repeating is harmless because
    the first word on a message stands. The API records them itself: it mirrors what another system says, as
    it does with accounts, and no procedure waits for it.
    """
    # carriers do not say which content type they send
    routes = APIRouter(tags=["sms"], route_class=StrictRoute, strict_content_type=False)

    def only_carriers(secret: str) -> None:
        expected = settings.sms_receipt_secret.get_secret_value()
        if not (expected and compare_digest(secret.encode(), expected.encode())):
            raise Refusal("not_found")

    @routes.post(
        "/v1/sms-receipts/aliyun/{secret}",
        operation_id="receiveAliyunReceipts",
        summary="阿里云短信状态报告 / Alibaba Cloud reports on messages",
        dependencies=[Depends(only_carriers)],
    )
    def receive_aliyun_receipts(reports: AliyunReports, platform: PlatformDep) -> AliyunTaken:
        """SmsReport, pushed over HTTP in batches. The secret stands for a token and an Idempotency-Key."""
        _record(
            platform,
            "aliyun",
            [(_our_id(report.out_id) or report.biz_id, report.success) for report in reports],
        )
        return AliyunTaken()

    @routes.post(
        "/v1/sms-receipts/tencent/{secret}",
        operation_id="receiveTencentReceipts",
        summary="腾讯云短信下发状态通知 / Tencent Cloud reports on messages",
        dependencies=[Depends(only_carriers)],
    )
    def receive_tencent_receipts(reports: TencentReports, platform: PlatformDep) -> TencentTaken:
        """The callback on sent messages. The secret stands for a token and an Idempotency-Key."""
        _record(platform, "tencent", [(report.sid, report.report_status == "SUCCESS") for report in reports])
        return TencentTaken()

    @routes.get("/sms-inbox", include_in_schema=False)  # a page of development is no part of the API
    def show_sms_inbox(platform: PlatformDep) -> HTMLResponse:
        """短信收件箱，仅限开发环境 / The inbox of text messages, for development only; else there is none."""
        if settings.sms_carrier != "inbox":
            raise Refusal("not_found")
        with reading(platform.engine) as reader:
            return HTMLResponse(_page(sms.shown(reader, SHOWN)))

    return routes


def _our_id(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None


def _record(platform: Platform, provider: str, reports: Sequence[tuple[UUID | str, bool]]) -> None:
    receipts = [sms.Receipt(key, arrived) for key, arrived in reports]
    with writing(platform.engine) as writer:
        new = sms.record_receipts(writer, provider, receipts, datetime.now(UTC))
    log.info("sms receipts", provider=provider, received=len(receipts), new=new)


def _page(messages: Sequence[sms.Shown]) -> str:
    rows = "".join(
        f"<article><h2><time>{message.arrived_at.astimezone(CHINA):%Y-%m-%d %H:%M:%S}</time> "
        f"→ {escape(message.phone)}</h2><p>{escape(message.text)}</p></article>\n"
        for message in messages
    )
    return f"""<!doctype html>
<html lang="zh-CN">
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="3">
<title>短信收件箱 / SMS inbox</title>
<main>
<h1>短信收件箱<br><small lang="en">SMS inbox</small></h1>
<p><strong>仅限开发环境：短信不会发出，只显示在这里。</strong>
<span lang="en">Development only: messages are not sent, they are shown here.</span></p>
{rows or '<p>还没有短信。<span lang="en">No message yet.</span></p>'}</main>
</html>"""
