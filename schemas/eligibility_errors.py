"""The table of what can be refused or go wrong: prior reports, and backups that have a number."""

from schemas.platform_errors import Error
from schemas.texts import Text

ELIGIBILITY_ERRORS = (
    Error(
        "number_malformed", 422, False,
        Text("不是备份编号", "This is no backup number"),
        Text("备份编号为 1 至 64 个字符，不含空格，例如 BF2026112300001；请照备份平台所示填写。",
             "A backup number has 1 to 64 characters and no blanks, such as BF2026112300001. Give it as the "
             "backup platform shows it."),
    ),
    Error(
        "time_in_future", 422, False,
        Text("所填时间在将来", "The time lies in the future"),
        Text("只能查询现在或过去；查询现在请不填时间。",
             "Only the present and the past can be asked about; for the present leave the time out."),
    ),
    Error(
        "before_the_rules", 422, False,
        Text("当时没有事先报告的规则", "There were no rules on prior reports at the time"),
        Text("请填写规则集生效之后的时间；各版本的生效日见 GET /v1/rules/releases。",
             "Give a time after the rulebook took effect; GET /v1/rules/releases lists since when each "
             "release judges."),
    ),
    Error(
        "too_many_questions", 429, True,
        Text("查询过于频繁", "Too many questions"),
        Text("本系统在这一时段内的配额已用完，请在 {retry_after} 秒后重试；批量查询按条计数。",
             "Your system has used up what it may ask in this period. Try again in {retry_after} seconds; of "
             "a batch every item counts."),
    ),
    Error(
        "no_answer_key", 503, True,
        Text("平台暂时不能为回答签名", "The platform cannot sign answers at the moment"),
        Text("请稍后重试。管理员须以 hgrip answer-key 生成密钥，并设置 HGRIP_ANSWER_KEYS。",
             "Try again later. The operator has to make a key with hgrip answer-key and set "
             "HGRIP_ANSWER_KEYS."),
    ),
)  # fmt: skip
