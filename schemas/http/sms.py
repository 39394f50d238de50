"""What carriers report of text messages, in their own shapes.

Not strict as our own bodies are: a carrier adds fields as it likes, and repeats what it was not thanked for.
The numbers in the reports are not read at all.
"""

from typing import Literal

from pydantic import BaseModel


class AliyunReport(BaseModel):
    """One entry of Alibaba Cloud's SmsReport (短信状态报告, HTTP 批量推送)."""

    biz_id: str
    out_id: str | None = None
    """What we gave it as the message's id; anything else is a message of somebody else."""
    success: bool


class AliyunTaken(BaseModel):
    """The answer it waits for."""

    code: Literal[0] = 0
    msg: str = "接收成功"


class TencentReport(BaseModel):
    """One entry of Tencent Cloud's callback on a sent message (短信下发状态通知)."""

    sid: str
    """The SerialNo of the answer to SendSms."""
    report_status: str
    """``SUCCESS`` or ``FAIL``."""


class TencentTaken(BaseModel):
    """The answer it waits for."""

    result: Literal[0] = 0
    errmsg: str = "OK"
