"""Alibaba Cloud (阿里云) as carrier: SendSms and QuerySendDetails of its API 2017-05-25, by its own SDK.

Needs the extra ``aliyun``. Codes: https://help.aliyun.com/zh/sms/developer-reference/api-error-codes
"""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from alibabacloud_dysmsapi20170525 import models  # type: ignore[import-untyped]
from alibabacloud_dysmsapi20170525.client import Client  # type: ignore[import-untyped]
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException  # type: ignore[import-untyped]
from alibabacloud_tea_openapi.utils_models import Config  # type: ignore[import-untyped]

from activities.sms.carrier import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    UNREACHABLE_FOR,
    Meaning,
    NeverError,
    Sent,
    Status,
    TryLaterError,
    UnknownError,
    refusal,
)
from activities.sms.network import never_left
from schemas.sms import TextMessage
from settings import Settings

# With DEBUG=sdk it prints number and code. A filter, because any logging.config call lifts `disabled`.
logging.getLogger("darabonba-core").addFilter(lambda record: False)

CHINA = ZoneInfo("Asia/Shanghai")
MOST = 50
"""Details of one page; a number gets fewer messages in a day."""
_STATUSES: dict[int, Status] = {1: "sent", 2: "undelivered", 3: "delivered"}
_MEANINGS = (  # of code and sentence: 触发分钟级流控Permits:1
    Meaning(r"isv\.BUSINESS_LIMIT_CONTROL .*分钟", "limited", timedelta(minutes=1)),
    Meaning(r"isv\.BUSINESS_LIMIT_CONTROL .*天", "limited", timedelta(days=1)),
    Meaning(r"isv\.BUSINESS_LIMIT_CONTROL", "limited", timedelta(hours=1)),
    Meaning(r"isv\.(DAY|MONTH)_LIMIT_CONTROL", "limited", timedelta(days=1)),
    Meaning(r"Throttling", "limited", timedelta(seconds=10)),
    Meaning(r"isv\.MOBILE_NUMBER_ILLEGAL", "number"),
    Meaning(r"isv\.\w*(TEMPLATE|SIGN|PARAM|BLACK_KEY)", "template"),
    Meaning(r"isv\.(?!SYSTEM_ERROR)|isp\.RAM_PERMISSION_DENY", "account"),
    Meaning(r"InvalidAccessKeyId|SignatureDoesNotMatch|InvalidTimeStamp|Forbidden|NoPermission", "account"),
)


class Aliyun:
    """Sends by Alibaba Cloud. Within a minute it shows every message it took, under our id (OutId)."""

    name = "aliyun"
    settled_after = timedelta(seconds=60)

    def __init__(self, settings: Settings) -> None:
        endpoint = settings.sms_endpoint
        self._client = Client(  # without retry options it asks once
            Config(
                access_key_id=settings.sms_key_id,
                access_key_secret=settings.sms_key_secret.get_secret_value(),
                endpoint=f"{endpoint.host}:{endpoint.port}" if endpoint else "dysmsapi.aliyuncs.com",
                protocol=endpoint.scheme if endpoint else "https",
                connect_timeout=CONNECT_TIMEOUT * 1000,
                read_timeout=READ_TIMEOUT * 1000,
            )
        )
        self._signature = settings.sms_signature
        self._templates = settings.sms_templates

    def send(self, message: TextMessage) -> Sent:
        """SendSms with the message's id as OutId."""
        request = models.SendSmsRequest(
            phone_numbers=_number(message.phone),
            sign_name=self._signature,
            template_code=self._templates[message.kind],
            template_param=json.dumps({"code": message.code}),
            out_id=str(message.id),
        )
        answer = _ask(self._client.send_sms, request)
        if answer.code == "OK" and answer.biz_id:
            return Sent(provider_id=str(answer.biz_id))
        raise refusal(f"{answer.code} {answer.message}", _MEANINGS)

    def status(self, message: TextMessage, asked_at: datetime) -> Status:
        """QuerySendDetails of the days since, found by OutId."""
        for day in {f"{moment.astimezone(CHINA):%Y%m%d}" for moment in (asked_at, datetime.now(UTC))}:
            request = models.QuerySendDetailsRequest(
                phone_number=_number(message.phone), send_date=day, page_size=MOST, current_page=1
            )
            try:
                answer = _ask(self._client.query_send_details, request)
            except (NeverError, UnknownError):
                raise TryLaterError("unreachable", UNREACHABLE_FOR) from None
            if answer.code != "OK" or answer.sms_send_detail_dtos is None:
                raise TryLaterError("unreachable", UNREACHABLE_FOR)
            for detail in answer.sms_send_detail_dtos.sms_send_detail_dto:
                if detail.out_id == str(message.id):
                    return _STATUSES.get(detail.send_status, "sent")
        return "unsent"


def _ask(call: Callable[[Any], Any], request: Any) -> Any:
    """The body of the carrier's answer; whatever the SDK raises may hold the address, and so the number."""
    try:
        body = call(request).body
    except AlibabaCloudException as refused:
        raise refusal(str(refused.code), _MEANINGS) from None
    except Exception as error:
        if never_left(error):
            raise TryLaterError("unreachable", UNREACHABLE_FOR) from None
        raise UnknownError from None
    if body is None:
        raise UnknownError
    return body


def _number(phone: str) -> str:
    """The number as the API takes it: of China's mainland eleven digits, of elsewhere without the plus."""
    return phone.removeprefix("+86").removeprefix("+")
