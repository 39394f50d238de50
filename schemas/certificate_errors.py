"""The table of what can be refused or go wrong: certificates, and their verification by anyone."""

from schemas.platform_errors import Error
from schemas.texts import Text

CERTIFICATE_ERRORS = (
    Error(
        "not_numbered", 409, False,
        Text("备份还没有编号", "The backup has no number yet"),
        Text("只有已编号的备份才能出具备份证明、撤回编号或更正；请先完成各步骤并提交。",
             "Only a numbered backup is certified, withdrawn or corrected. Complete its steps and submit it "
             "first; a draft itself can be changed, or withdrawn as a draft."),
    ),
    Error(
        "no_public_address", 503, True,
        Text("平台暂时不能出具 PDF 证明", "The platform cannot set certificates at the moment"),
        Text("请稍后重试。管理员须以 HGRIP_PUBLIC_URL 设置平台的公开网址，二维码由它而来。",
             "Try again later. The operator has to set HGRIP_PUBLIC_URL, the platform's public address, "
             "which the QR code leads to."),
    ),
    Error(
        "digest_malformed", 422, False,
        Text("不是 SHA-256 摘要", "This is no SHA-256 digest"),
        Text("请填写 PDF 文件的 SHA-256 摘要：64 个字符，0–9 和 a–f；"
             "可用 sha256sum 或 certutil -hashfile 计算。",
             "Give the SHA-256 digest of the PDF file: 64 characters 0-9 and a-f, as sha256sum or certutil "
             "-hashfile tell it."),
    ),
)  # fmt: skip
