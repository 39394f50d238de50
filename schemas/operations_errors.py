"""The table of what can be refused or go wrong: upkeep, and the codec server."""

from schemas.platform_errors import Error
from schemas.texts import Text

OPERATIONS_ERRORS = (
    Error(
        "request_lapsed", 410, False,
        Text("该请求久未完成，已作废", "The request was never completed, and has lapsed"),
        Text("它没有产生任何效果。请以新的 Idempotency-Key 重新提交。",
             "It had no effect. Send it again with a new Idempotency-Key."),
    ),
    Error(
        "wrong_namespace", 403, False,
        Text("命名空间不符", "Another namespace"),
        Text("请在 X-Namespace 中写明本平台的命名空间（HGRIP_TEMPORAL_NAMESPACE）；其他命名空间的不解密。",
             "Name this platform's namespace (HGRIP_TEMPORAL_NAMESPACE) in X-Namespace; nothing of "
             "another is decrypted."),
    ),
    Error(
        "payload_key_unknown", 422, False,
        Text("密钥环中没有加密所用的密钥", "The key ring has no key with this id"),
        Text("请把加密时所用的密钥补入密钥文件（HGRIP_KEYS_FILE），然后重启解密服务。",
             "Add the key that encrypted it to the key file (HGRIP_KEYS_FILE), then restart the codec "
             "server."),
    ),
    Error(
        "payload_undecryptable", 422, False,
        Text("内容无法解密", "A payload cannot be decrypted"),
        Text("它被改动、不完整，或属于另一命名空间。请原样发送 Temporal 给出的内容。",
             "It was changed, cut, or belongs to another namespace. Send it exactly as Temporal gave it."),
    ),
    Error(
        "encoding_refused", 403, False,
        Text("解密服务不加密", "The codec server encrypts nothing"),
        Text("只有 API 和 worker 可以向流程发送内容。请用 hgrip 命令或 API 办理。",
             "Only API and workers send content to workflows. Use the hgrip command or the API."),
    ),
    Error(
        "grant_missing", 403, False,
        Text("查看明文须先说明流程和理由", "Clear text needs a workflow and a reason first"),
        Text("请以审计员令牌在 POST /audit/grants 说明流程和理由，再以所得凭证解密；浏览器请打开本服务首页。",
             "Name both with an auditor's token at POST /audit/grants and decode with the grant it "
             "gives; in a browser, open the codec server's first page."),
    ),
    Error(
        "reason_names_person", 422, False,
        Text("理由中不得有号码", "The reason must hold no number of a person"),
        Text("理由会长期留在审计记录中。请删除其中的手机号、证件号和验证码，可改写工单编号。",
             "It stays in the audit trail. Take out phone numbers, identity numbers and codes; name a ticket "
             "instead."),
    ),
)  # fmt: skip
