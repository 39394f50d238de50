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
    Error(
        "number_unknown", 404, False,
        Text("没有这个备份编号", "There is no such backup number"),
        Text("请照备份平台所示核对备份编号。", "Check the number against what the backup platform shows."),
    ),
    Error(
        "not_eligible", 409, False,
        Text("该备份当时不能用于此账号的事先报告", "The account could not use this backup at the time"),
        Text("未作登记。请核对账号、备份编号和使用时间。",
             "Nothing was recorded. Check account, backup number and time."),
    ),
    Error(
        "recorded_otherwise", 409, False,
        Text("该报告已登记，内容不同", "The report is recorded already, with other content"),
        Text("同一报告和备份编号只登记一次，账号和使用时间不能更改。请核对报告编号。",
             "Report and backup number are recorded once; account and time do not change. Check the id of "
             "the report."),
    ),
    Error(
        "used_in_prior_report", 409, False,
        Text("备份已用于事先报告", "A prior report has used the backup"),
        Text("已用于事先报告的备份不能撤回，也不能从报告人处收回；现未作任何改动。请先在人遗系统处理该报告。",
             "A backup that a prior report has used is neither withdrawn nor taken from who reported. "
             "Nothing was changed. Settle the report in the HGR service system first."),
    ),
)  # fmt: skip
