"""Tencent Cloud (腾讯云) as carrier: SendSms and PullSmsSendStatusByPhoneNumber, by its own SDK.

Needs the extra ``tencent``; API 2021-01-11. Codes: https://cloud.tencent.com/document/product/382/59177
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tencentcloud.common.credential import Credential  # type: ignore[import-untyped]
from tencentcloud.common.exception import TencentCloudSDKException  # type: ignore[import-untyped]
from tencentcloud.common.profile.client_profile import ClientProfile  # type: ignore[import-untyped]
from tencentcloud.common.profile.http_profile import HttpProfile  # type: ignore[import-untyped]
from tencentcloud.sms.v20210111 import models  # type: ignore[import-untyped]
from tencentcloud.sms.v20210111.sms_client import SmsClient  # type: ignore[import-untyped]

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

REGION = "ap-guangzhou"
"""Which of its data centres is asked; messages go everywhere from each."""
MOST = 100
"""Statuses of one page; a number gets fewer messages while a code is valid."""
_STATUSES: dict[str, Status] = {"SUCCESS": "delivered", "FAIL": "undelivered"}
_FAMILIES = r"(InvalidParameter|InvalidParameterValue|FailedOperation|UnsupportedOperation)\.\w*"
_MEANINGS = (
    Meaning(
        r"LimitExceeded\.(PhoneNumberThirtySecondLimit|DeliveryFrequencyLimit)",
        "limited",
        timedelta(seconds=30),
    ),
    Meaning(r"LimitExceeded\.PhoneNumberOneHourLimit", "limited", timedelta(hours=1)),
    Meaning(r"LimitExceeded\.AppCountryOrRegionInBlacklist", "number"),
    Meaning(r"LimitExceeded\.\w*DailyLimit", "limited", timedelta(days=1)),
    Meaning(r"LimitExceeded|RequestLimitExceeded", "limited", timedelta(seconds=10)),
    Meaning(_FAMILIES + "Phone", "number"),
    Meaning(_FAMILIES + "(Template|Sign|Word|Content)", "template"),
    Meaning(r"AuthFailure|UnauthorizedOperation|MissingParameter|UnknownParameter", "account"),
    Meaning(r"InvalidParameter|UnsupportedOperation|FailedOperation\.(?!OtherError)", "account"),
)


class Tencent:
    """Sends by Tencent Cloud.

    It shows a message only once the phone's operator has reported on it, so what it does not show may have
    been sent all the same: after silence it is never asked to send again.
    """

    name = "tencent"
    settled_after = timedelta(seconds=60)

    def __init__(self, settings: Settings) -> None:
        endpoint = settings.sms_endpoint
        http = HttpProfile(
            protocol=endpoint.scheme if endpoint else "https",
            endpoint=f"{endpoint.host}:{endpoint.port}" if endpoint else None,
            reqTimeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
        )
        credential = Credential(settings.sms_key_id, settings.sms_key_secret.get_secret_value())
        self._client = SmsClient(credential, REGION, ClientProfile(httpProfile=http))
        self._app_id = settings.sms_app_id
        self._signature = settings.sms_signature
        self._templates = settings.sms_templates

    def send(self, message: TextMessage) -> Sent:
        """SendSms with the message's id as SessionContext."""
        request = models.SendSmsRequest()
        request.PhoneNumberSet = [message.phone]
        request.SmsSdkAppId = self._app_id
        request.SignName = self._signature
        request.TemplateId = self._templates[message.kind]
        request.TemplateParamSet = [message.code]
        request.SessionContext = str(message.id)
        statuses = _ask(self._client.SendSms, request).SendStatusSet
        if not statuses:
            raise UnknownError
        if statuses[0].Code == "Ok" and statuses[0].SerialNo:
            return Sent(provider_id=str(statuses[0].SerialNo))
        raise refusal(str(statuses[0].Code), _MEANINGS)

    def status(self, message: TextMessage, asked_at: datetime) -> Status:
        """PullSmsSendStatusByPhoneNumber since the message was asked for, found by SessionContext."""
        request = models.PullSmsSendStatusByPhoneNumberRequest()
        request.BeginTime = int(asked_at.timestamp())
        request.EndTime = int(datetime.now(UTC).timestamp())
        request.Offset, request.Limit = 0, MOST
        request.PhoneNumber, request.SmsSdkAppId = message.phone, self._app_id
        try:
            statuses = _ask(self._client.PullSmsSendStatusByPhoneNumber, request).PullSmsSendStatusSet
        except (NeverError, UnknownError):
            raise TryLaterError("unreachable", UNREACHABLE_FOR) from None
        for status in statuses or ():
            if status.SessionContext == str(message.id):
                return _STATUSES.get(status.ReportStatus, "sent")
        return "unknown"


def _ask(call: Callable[[Any], Any], request: Any) -> Any:
    """The carrier's answer; whatever the SDK raises may hold the number."""
    try:
        return call(request)
    except TencentCloudSDKException as error:
        if never_left(error):
            raise TryLaterError("unreachable", UNREACHABLE_FOR) from None
        raise refusal(str(error.code), _MEANINGS) from None
