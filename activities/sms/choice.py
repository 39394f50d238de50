"""Which carrier the settings choose."""

from sqlalchemy import Engine

from activities.sms.carrier import Carrier
from activities.sms.inbox import Inbox
from settings import Settings, SettingsError


def chosen(settings: Settings, engine: Engine) -> Carrier:
    """The carrier the settings choose; an SDK is imported only for its own carrier.

    Raises:
        SettingsError: The carrier's SDK is not installed; the text names the extra.
    """
    name = settings.sms_carrier
    try:
        if name == "aliyun":
            from activities.sms.aliyun import Aliyun

            return Aliyun(settings)
        if name == "tencent":
            from activities.sms.tencent import Tencent

            return Tencent(settings)
    except ModuleNotFoundError:
        raise SettingsError(
            f"未安装 {name} 短信 SDK，请运行 pip install 'hgrip[{name}]' / "
            f"The SMS SDK of {name} is not installed: pip install 'hgrip[{name}]'"
        ) from None
    return Inbox(engine)
