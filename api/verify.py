"""Whether a backup number stands, told to anyone: neither title nor person nor unit (公开核验).

Titles stay out because numbers can be guessed one after the other, and titles are written by people. Whoever
holds a certificate compares its digest instead.
"""

import hashlib
import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from api.bodies import StrictRoute
from api.claim_requests import network_address
from api.platform import Platform, PlatformDep
from schemas.errors import Refusal
from schemas.http.backups import ReleaseRef
from schemas.http.certificates import VerificationView
from schemas.texts import Text
from store import certificates
from store.database import reading, writing
from store.eligibility import BACKUP_NUMBER

router = APIRouter(tags=["verification"], route_class=StrictRoute)

MOST = 60
"""Questions of one network address in a `WINDOW`."""
WINDOW = timedelta(minutes=1)
CHINA = ZoneInfo("Asia/Shanghai")
_SHA256 = re.compile("[0-9a-f]{64}")

Digest = Annotated[
    str | None,
    Query(max_length=200, description="备份证明 PDF 的 SHA-256 摘要 / SHA-256 of a certificate's PDF, hex"),
]


@router.get(
    "/verify/{number:path}",
    operation_id="verifyNumber",
    summary="核验备份编号 / Verify a backup number",
    response_model=VerificationView,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
def verify(number: str, request: Request, platform: PlatformDep, sha256: Digest = None) -> Response:
    """Whether a backup number stands, and whether a PDF is its certificate; a page for browsers."""
    html = "text/html" in request.headers.get("accept", "")
    try:
        view = _verified(platform, request, number, sha256)
    except Refusal as refusal:
        if not html:
            raise
        return _refused(refusal)
    if html:
        heading = VALID if view.valid else NO_LONGER_VALID
        return _page(200, heading, _facts(view) + _form(number), "good" if view.valid else "bad")
    return JSONResponse(view.model_dump(mode="json"), headers={"Vary": "Accept"})


def _verified(platform: Platform, request: Request, number: str, sha256: str | None) -> VerificationView:
    """The answer; whatever is asked is counted first, so that every answer takes the same way."""
    address = platform.cipher.blind_index("address", network_address(request))
    with writing(platform.engine) as writer:
        certificates.count_visit(writer, address, MOST, WINDOW, datetime.now(UTC))
    digest = (sha256 or "").strip().lower() or None
    well_formed = digest is None or _SHA256.fullmatch(digest) is not None
    with reading(platform.engine) as reader:
        found = certificates.standing(reader, number.replace("\0", " "), digest if well_formed else None)
    if not BACKUP_NUMBER.fullmatch(number):
        raise Refusal("number_malformed")
    if not well_formed:
        raise Refusal("digest_malformed")
    if found is None:
        raise Refusal("number_unknown")
    return VerificationView(
        number=number,
        valid=found.numbered,
        numbered_at=found.numbered_at,
        withdrawn_at=found.withdrawn_at,
        version=found.version,
        release=ReleaseRef(version=found.release[0], digest=found.release[1]) if found.release else None,
        sha256=digest,
        issued=None if digest is None else found.issued is not None,
        issued_version=found.issued,
    )


# --- the page -------------------------------------------------------------------------------------------


def _facts(view: VerificationView) -> str:
    rows = [
        _row("备份编号", "Backup number", view.number),
        _row("编号时间", "Numbered", _time(view.numbered_at)),
    ]
    if view.withdrawn_at is not None:
        rows.append(_row("撤回时间", "Withdrawn", _time(view.withdrawn_at)))
    if view.version > 1:
        rows.append(_row("现行版本", "Version that stands", f"{view.version}"))
    if view.release is not None:
        rows.append(_row("规则版本", "Rulebook release", f"{view.release.version} · {view.release.digest}"))
    compared = ""
    if view.issued is not None:
        said, kind = _compared(view)
        compared = f'<p class="{kind}" role="status">{_both(said)}</p>'
    return f"<dl>{''.join(rows)}</dl>{compared}"


def _compared(view: VerificationView) -> tuple[Text, str]:
    if view.issued_version is None:
        return _NOT_ISSUED, "bad"
    if view.issued_version != view.version:
        return _SUPERSEDED.fill(version=str(view.issued_version)), "bad"
    return _ISSUED, "good"


def _time(at: datetime) -> str:
    return at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S UTC+8")


def _row(zh: str, en: str, value: str) -> str:
    return f'<dt>{escape(zh)} <small lang="en">{escape(en)}</small></dt><dd>{escape(value)}</dd>'


def _form(number: str) -> str:
    return f"""<form method="get"><label for="sha256">{_both(_COMPARE)}</label>
<input id="sha256" name="sha256" maxlength="200" autocomplete="off" spellcheck="false" required>
<button>比对 <span lang="en">Compare</span></button></form>
<p><small>{_both(_HOW)}</small></p><p><small>{escape(number)} · {_both(_NO_MORE)}</small></p>"""


def _refused(refusal: Refusal) -> Response:
    error, detail = refusal.error, refusal.detail
    page = _page(error.status, error.title, f"<p>{_both(detail)}</p>", "bad")
    if error.retryable:
        page.headers["Retry-After"] = str(refusal.facts.get("retry_after", ""))
    return page


def _both(text: Text) -> str:
    return f'{escape(text.zh)}<br><span lang="en">{escape(text.en)}</span>'


def _page(status: int, heading: Text, body: str, kind: str) -> Response:
    title = f"{escape(heading.zh)} / {escape(heading.en)}"
    page = f"""<!doctype html>
<html lang="zh-CN">
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>{_STYLE}</style>
<main><h1 class="{kind}">{_both(heading)}</h1>{body}</main>
</html>"""
    return HTMLResponse(page, status, headers=_HEADERS)


VALID = Text("该备份编号有效", "This backup number is valid")
NO_LONGER_VALID = Text("该备份编号已失效", "This backup number is no longer valid")
_ISSUED = Text(
    "该文件是本平台为此备份出具的备份证明。", "The file is a certificate issued here for this backup."
)
_NOT_ISSUED = Text(
    "该摘要不属于本平台为此备份出具的任何备份证明。文件可能被改动，或属于另一备份。",
    "No certificate issued here for this backup has this digest. The file may have been altered, or belongs "
    "to another backup.",
)
_SUPERSEDED = Text(
    "该文件是本平台为此备份的第 {version} 版出具的备份证明；备份此后已更正，该证明不再反映现行内容。",
    "The file is a certificate issued here for version {version} of this backup. The backup has been "
    "corrected since: what stands now is not what the file says.",
)
_COMPARE = Text("备份证明 PDF 文件的 SHA-256 摘要", "SHA-256 digest of the certificate's PDF file")
_HOW = Text(
    "计算摘要：Windows：certutil -hashfile 文件 SHA256；macOS、Linux：shasum -a 256 文件。",
    "To compute it: certutil -hashfile FILE SHA256 on Windows, shasum -a 256 FILE on macOS and Linux.",
)
_NO_MORE = Text("本页不显示项目、单位和个人信息。", "This page shows no project, unit or person.")
_STYLE = """
:root{color-scheme:light dark}
body{margin:0;font:16px/1.6 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans SC",sans-serif}
main{max-width:42rem;margin:2rem auto;padding:0 1.2rem}
h1{font-size:1.5rem;line-height:1.35;border-left:.3rem solid;padding-left:.8rem}
h1.good{border-color:#2e7d4f}h1.bad{border-color:#b3261e}
[lang=en]{opacity:.75;font-size:.9em}
dt{margin-top:.8rem}dd{margin:0;font-weight:600;overflow-wrap:anywhere}
p.good,p.bad{padding:.7rem .9rem;border:1px solid;border-radius:.3rem}
p.good{border-color:#2e7d4f}p.bad{border-color:#b3261e}
form{margin-top:2rem}input{width:100%;box-sizing:border-box;font:inherit;padding:.5rem;margin:.4rem 0}
button{font:inherit;padding:.45rem 1.2rem}
"""
_HASH = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",
}
