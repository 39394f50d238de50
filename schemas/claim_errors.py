"""The table of what can be refused or go wrong: claims of legacy backups, names and phones."""

from schemas.platform_errors import HELP, Error
from schemas.texts import Text

CLAIM_ERRORS = (
    # --- names and phones ------------------------------------------------------------------------------
    Error(
        "name_missing", 422, False,
        Text("没有填写姓名", "The name is missing"),
        Text("请填写在原系统注册时的姓名。", "Give the name as it was registered with the old platform."),
    ),
    Error(
        "name_too_long", 422, False,
        Text("姓名过长", "The name is too long"),
        Text("姓名最多 {limit} 个字符，请只填姓名。",
             "A name has at most {limit} characters; give the name alone."),
    ),
    Error(
        "name_unreadable", 422, False,
        Text("姓名中有不能使用的符号", "The name has symbols that no name has"),
        Text("请删去表情、控制字符等符号。", "Remove emoji, control characters and other symbols."),
    ),
    Error(
        "phone_missing", 422, False,
        Text("没有填写手机号", "The phone number is missing"),
        Text("请填写在原系统注册时的手机号。",
             "Give the mobile number that was registered with the old platform."),
    ),
    Error(
        "phone_has_letters", 422, False,
        Text("手机号中有字母或文字", "The phone number has letters"),
        Text("请只填数字，例如 11 位手机号；可以带 +86 和空格。",
             "Give digits only, 11 for a mobile number; +86 and blanks may be there."),
    ),
    Error(
        "phone_has_symbols", 422, False,
        Text("手机号中有不能使用的符号", "The phone number has symbols that no number has"),
        Text("请删去表情等符号，只填数字；可以带 +86、空格和连字符。",
             "Remove emoji and other symbols; digits, +86, blanks and hyphens may be there."),
    ),
    Error(
        "phone_invalid", 422, False,
        Text("不是手机号", "This is no mobile number"),
        Text("请检查位数和号段；大陆手机号为 11 位，以 1 开头。",
             "Check its length and first digits; a mobile number of mainland China has 11 digits and begins "
             "with 1."),
    ),
    Error(
        "phone_abroad", 422, False,
        Text("不接受该国家或地区的号码", "Numbers of this country or region are not taken"),
        Text("验证码只能发往规则文件所列国家或地区（一般为中国大陆）的手机号。如在原系统登记的是其他号码，"
             "请联系备份服务。" + HELP.zh,
             "Codes go only to mobile numbers of the countries in the rule file, as a rule mainland China. "
             "If another was registered with the old platform, ask the backup service. " + HELP.en),
    ),
    Error(
        "phone_not_mobile", 422, False,
        Text("不是手机号，而是固定电话或服务号码", "This is a landline or service number"),
        Text("固定电话收不到验证码，请填写手机号。如在原系统登记的是固定电话，请联系备份服务。" + HELP.zh,
             "A landline receives no code; give a mobile number. If a landline was registered with the old "
             "platform, ask the backup service. " + HELP.en),
    ),
    # --- claims ----------------------------------------------------------------------------------------
    Error(
        "too_many_claims", 429, True,
        Text("认领或获取验证码过于频繁", "Too many claims or codes"),
        Text("为防止冒领，每个手机号、账号、单位和网络地址的次数有限。请在 {retry_after} 秒后重试。",
             "To keep impostors out, each phone number, account, unit and network address has a limit. Try "
             "again in {retry_after} seconds."),
    ),
    Error(
        "claim_closed", 409, False,
        Text("该认领已结束或已处理", "This claim is over, or has been decided"),
        Text("它已完成、已锁定、已失效或已有人处理。如仍需认领，请重新发起。",
             "It is done, locked, lapsed, or somebody has decided on it. To claim again, start a new claim."),
    ),
    Error(
        "code_malformed", 422, False,
        Text("验证码格式有误", "This is no code"),
        Text("请填写短信中的 {limit} 位数字；本次不计入次数。",
             "Type the {limit} digits of the message; this try was not counted."),
    ),
    Error(
        "code_not_accepted", 422, False,
        Text("验证码不正确或已失效", "The code is wrong or no longer valid"),
        Text("请核对短信，或在 60 秒后重新获取验证码。多次不正确后，该认领将锁定，可重新发起认领。",
             "Check the message, or ask for another code after 60 seconds. After several wrong ones the "
             "claim is locked; then start a new one."),
    ),
    Error(
        "delegate_not_a_member", 422, False,
        Text("所选人员不能接收备份", "The chosen person cannot receive backups"),
        Text("新委托人须是本单位已实名认证并获授权的人员，请从本单位人员中选择。",
             "The new delegate must be one of your unit's people, with real-name check and authorisation. "
             "Choose among them."),
    ),
    Error(
        "moved_on", 409, False,
        Text("无法撤销：部分备份已转给他人", "It cannot be undone: some backups have gone on to others"),
        Text("撤销只能整体进行，现未作任何改动。请与现委托人协商，或通过委托调整处理。",
             "It is undone as a whole or not at all, and nothing was changed. Agree with the present "
             "delegates, or use a delegation adjustment."),
    ),
)  # fmt: skip
