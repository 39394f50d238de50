"""The table of what can be refused or go wrong: the platform as a whole. One table with those beside it."""

import string
from typing import NamedTuple

from schemas.texts import Text


class Error(NamedTuple):
    """One kind of refusal or failure.

    Attributes:
        code: Stable name, also the last part of the problem type's address.
        status: HTTP status code (RFC 9110).
        retryable: Whether the same request may succeed later, unchanged and with the same Idempotency-Key.
        title: What happened.
        mend: Why, and how to mend it; may name facts in braces, e.g. ``{limit}``.
    """

    code: str
    status: int
    retryable: bool
    title: Text
    mend: Text

    @property
    def named_facts(self) -> frozenset[str]:
        """The facts that ``mend`` names in braces."""
        return frozenset(name for _, name, _, _ in string.Formatter().parse(self.mend.zh) if name)


HELP = Text(
    "备份服务热线：010-84097816、010-84097340；邮箱：hgrip@big.ac.cn。",
    "Backup service: 010-84097816, 010-84097340, hgrip@big.ac.cn.",
)
"""Contacts of the backup service (notice, section 六)."""

PLATFORM_ERRORS = (
    # --- the request as such ---------------------------------------------------------------------------
    Error(
        "malformed_body", 400, False,
        Text("请求内容不是合法的 JSON", "The request body is not valid JSON"),
        Text(
            "请以 UTF-8 编码发送标准 JSON：不含 NaN、Infinity、空字符（\\u0000）和 64 位以上的数"
            "（很长的编号请写成文本），嵌套不超过 32 层。",
            "Send standard JSON in UTF-8: no NaN or Infinity, no null character (\\u0000), no number beyond "
            "64 bits (write a long code as text), at most 32 levels of nesting.",
        ),
    ),
    Error(
        "invalid_field", 422, False,
        Text("提交的内容有误", "Some of what was sent is not right"),
        Text("请按 errors 中逐项列出的位置和说明更正后重新提交。",
             "Correct each place listed in errors, then send it again."),
    ),
    Error(
        "unknown_field", 422, False,
        Text("提交的内容含有未定义的字段", "The request has a field that is not defined"),
        Text("请检查字段名的拼写，或删除 errors 所指位置中多余的字段；接口文档列有全部字段。",
             "Check the spelling, or remove the extra field at the place named in errors; the API reference "
             "lists all fields."),
    ),
    Error(
        "unexpected_body", 400, False,
        Text("该操作不接受请求体", "This address takes no body"),
        Text("请不要发送请求体；该操作所需的一切都在地址和请求头中。",
             "Send no body: all that this address needs is in its path, query and headers."),
    ),
    Error(
        "unsupported_media_type", 415, False,
        Text("不支持此内容类型", "This content type is not supported"),
        Text("请在 Content-Type 中写明接口文档所列的类型；JSON 请写 application/json。",
             "State one of the types the API reference lists in Content-Type; for JSON, application/json."),
    ),
    Error(
        "too_large", 413, False,
        Text("请求内容过大", "The request body is too large"),
        Text("上限为 {limit} 字节，请精简内容或拆分后重新提交。",
             "The limit is {limit} bytes. Shorten or split it, then send it again."),
    ),
    Error(
        "not_found", 404, False,
        Text("未找到", "Not found"),
        Text("该地址不存在，或您无权查看。请检查地址和备份是否属于您的账号。",
             "There is nothing at this address that you may see. Check the address, and that the backup "
             "belongs to your account."),
    ),
    Error(
        "method_not_allowed", 405, False,
        Text("该地址不支持此方法", "This address does not support the method"),
        Text("请改用响应头 Allow 中列出的方法。", "Use one of the methods in the Allow header."),
    ),
    Error(
        "page_token_invalid", 400, False,
        Text("翻页标记无效", "The page token is not valid"),
        Text("请原样使用上一页返回的 next_page_token；如已遗失，请从第一页重新开始。",
             "Use the next_page_token of the page before exactly as it came; if it is lost, start again from "
             "the first page."),
    ),
    Error(
        "rate_limited", 429, True,
        Text("操作过于频繁", "Too many requests"),
        Text("请在 {retry_after} 秒后重试。", "Try again in {retry_after} seconds."),
    ),
    # --- who asks --------------------------------------------------------------------------------------
    Error(
        "unauthenticated", 401, False,
        Text("尚未登录，或登录凭证无效", "You are not signed in, or the token is not valid"),
        Text("请登录人遗系统（https://apply.hgrg.net）取得凭证，并以 Authorization: Bearer 发送。",
             "Sign in with the HGR service system (https://apply.hgrg.net) and send its token as "
             "Authorization: Bearer."),
    ),
    Error(
        "token_expired", 401, False,
        Text("登录已过期", "Your sign-in has expired"),
        Text("请重新登录；已保存的草稿不受影响。", "Sign in again; what you saved is still there."),
    ),
    Error(
        "sign_in_unavailable", 503, True,
        Text("暂时无法核验登录凭证", "Sign-in cannot be checked at the moment"),
        Text("人遗系统的签名公钥暂时无法取得，请稍后重试。",
             "The public keys of the HGR service system cannot be reached. Try again shortly."),
    ),
    Error(
        "real_name_missing", 403, False,
        Text("尚未完成实名认证", "Your real-name check is missing"),
        Text("请在人遗系统（https://apply.hgrg.net）上传证件完成实名认证，然后重新登录。",
             "Upload your identity document in the HGR service system (https://apply.hgrg.net) to complete "
             "the real-name check, then sign in again."),
    ),
    Error(
        "unit_authorisation_missing", 403, False,
        Text("尚未获得法人（单位）授权", "Your unit has not authorised you yet"),
        Text("请在人遗系统（https://apply.hgrg.net）申请并获得法人（单位）授权，然后重新登录。",
             "Ask for your unit's authorisation in the HGR service system (https://apply.hgrg.net), then "
             "sign in again."),
    ),
    Error(
        "not_allowed", 403, False,
        Text("您的账号不能进行此操作", "Your account may not do this"),
        Text("此操作限于其他角色，请联系本单位管理员。",
             "It is reserved for another role; please ask your unit's administrator."),
    ),
    # --- repeating and racing --------------------------------------------------------------------------
    Error(
        "idempotency_key_missing", 400, False,
        Text("缺少 Idempotency-Key 请求头", "The Idempotency-Key header is missing"),
        Text("请为每次新操作生成一个 UUID 放入 Idempotency-Key；重试同一操作时使用同一个值。",
             "Send a new UUID as Idempotency-Key for each new action, and the same one when you repeat it."),
    ),
    Error(
        "idempotency_key_invalid", 400, False,
        Text("Idempotency-Key 请求头无效", "The Idempotency-Key header is not valid"),
        Text("请使用 UUID，例如 8-4-4-4-12 位十六进制数；不要放入姓名、手机号等内容。",
             "Use a UUID (hexadecimal digits, 8-4-4-4-12), never a name or a phone number."),
    ),
    Error(
        "idempotency_key_reused", 422, False,
        Text("同一 Idempotency-Key 已用于不同的内容", "This Idempotency-Key was used with other content"),
        Text("重试须发送完全相同的内容；新操作请生成新的 Idempotency-Key。",
             "A repetition must send the same content; for a new action, make a new Idempotency-Key."),
    ),
    Error(
        "precondition_required", 428, False,
        Text("缺少 If-Match 请求头", "The If-Match header is missing"),
        Text("请先读取当前内容，并把所得 ETag 放入 If-Match，以免覆盖他人的修改。",
             "Read the present state first and send its ETag as If-Match, so that nobody's change is lost."),
    ),
    Error(
        "stale_revision", 412, False,
        Text("内容已被更新", "It has been changed in the meantime"),
        Text("If-Match 与该步骤当前的 ETag 不符：在您读取之后它已被保存过，或所填不是本步骤的 ETag。"
             "current 中是已保存的内容；请合并修改，再以响应头 ETag 的值作为 If-Match 保存。",
             "If-Match is not the step's present ETag: it has been saved since you read it, or what was sent "
             "is no ETag of this step. What is saved now is in current: merge your changes into it, and save "
             "with the ETag of this answer as If-Match."),
    ),
    # --- the backup ------------------------------------------------------------------------------------
    Error(
        "backup_closed", 409, False,
        Text("该备份已结束，不能再修改", "This backup is closed and cannot be changed"),
        Text("它已获得备份编号、已撤回或已过期。如需备份其他内容，请新建备份。",
             "It has its backup number, or was withdrawn, or has expired. To back up something else, create "
             "a new backup."),
    ),
    Error(
        "unknown_step", 404, False,
        Text("没有这个步骤", "There is no such step"),
        Text("请使用备份详情 steps 中列出的步骤。", "Use one of the steps that the backup lists in steps."),
    ),
    Error(
        "wrong_step_kind", 409, False,
        Text("该步骤不接受此类内容", "This step does not take this kind of content"),
        Text("表单步骤请提交 JSON 表单，清单步骤请上传文件清单；备份详情列有各步骤的类型。",
             "Send a JSON form to a form step and upload a file list to a manifest step; the backup lists "
             "the kind of each step."),
    ),
    Error(
        "unreadable_manifest", 422, False,
        Text("无法读取文件清单", "The file list cannot be read"),
        Text("请以 CSV、TSV、NDJSON 或 XLSX 重新导出后上传；已保存的清单不受影响。",
             "Export it again as CSV, TSV, NDJSON or XLSX and upload it; the list saved before is still "
             "there."),
    ),
    Error(
        "too_many_rows", 422, False,
        Text("文件清单行数过多", "The file list has too many rows"),
        Text("一个备份最多 {limit} 行，请分为多个备份提交。",
             "One backup holds at most {limit} rows; divide the list into several backups."),
    ),
    # --- ours to repair --------------------------------------------------------------------------------
    Error(
        "no_rulebook_in_force", 503, True,
        Text("没有生效的规则版本", "No release of the rulebook is in force"),
        Text("请稍后重试；已保存的内容不受影响。管理员须先发布一个规则版本。",
             "Try again later; what you saved is still there. The operator has to publish a release first."),
    ),
    Error(
        "release_untrusted", 500, False,
        Text("规则版本未通过验证", "The release of the rulebook could not be proven"),
        Text("该规则版本的内容或签名与记录不符，平台不予采用。请联系管理员用 hgrip rules list 核查。",
             "Its content or a signature does not fit, so the platform does not use it. Please ask the "
             "operator to look at it with hgrip rules list."),
    ),
    Error(
        "waiting_for_platform", 503, True,
        Text("平台暂时未能处理", "The platform could not take this up yet"),
        Text("请稍后以同一 Idempotency-Key 重试，不会重复执行。",
             "Repeat it shortly with the same Idempotency-Key; it will not be done twice."),
    ),
    Error(
        "database_unavailable", 503, True,
        Text("数据库暂时不可用", "The database is not available at the moment"),
        Text("请稍后以同一 Idempotency-Key 重试；已保存的内容不受影响。",
             "Repeat it shortly with the same Idempotency-Key; what you saved is still there."),
    ),
    Error(
        "internal", 500, False,
        Text("平台内部错误", "Something went wrong on our side"),
        Text("已保存的内容不受影响。请把 instance 中的编号告知备份服务。" + HELP.zh,
             "What you saved is still there. Please tell the backup service the id in instance. " + HELP.en),
    ),
    # --- comparisons of releases -----------------------------------------------------------------------
    Error(
        "unknown_release", 422, False,
        Text("没有这个规则版本", "There is no such release"),
        Text("请填写 GET /v1/rules/releases 所列的版本号或摘要（至少前 8 位）。",
             "Give a version or a digest (its first 8 digits or more) of those that GET /v1/rules/releases "
             "lists."),
    ),
)  # fmt: skip
