"""Notices: what the platform told an account."""

from fastapi import APIRouter

from api import claim_views, delegation_views, operators
from api.accounts import Member, viewer
from api.attribution import CLAIM_HINT
from api.bodies import StrictRoute
from api.language import LanguageDep
from api.pages import DEFAULT_SIZE, Keyset, NewestFirst, PageSize, PageToken
from api.platform import PlatformDep
from rules.engine.acts import china_day
from schemas.http.accounts import NoticePage, NoticeView
from schemas.http.backups import Pagination
from schemas.tables.backups import Notice
from schemas.texts import Language, Text
from store import queries
from store.database import reading

router = APIRouter(prefix="/v1/me", tags=["account"], route_class=StrictRoute)

NOTICES: Keyset[NewestFirst] = Keyset("notices", NewestFirst)
SENTENCES = {
    "draft_expires": Text(
        "您的备份草稿将于 {day} 到期。请在此之前保存任一步骤或提交，草稿即可继续保留。",
        "A draft of yours expires on {day}. Save any of its steps or submit it before then to keep it.",
    ),
    "attribution": Text(
        "原系统中以您的姓名、手机号和单位登记的备份已归入您的账号：{moved} 个；"
        "先前已被认领的有 {already_moved} 个，留在原系统的草稿有 {drafts_left} 个。" + CLAIM_HINT.zh,
        "Backups that the old platform registered under your name, phone and unit are in your account now: "
        "{moved}; claimed before: {already_moved}; drafts, which stay with the old platform: {drafts_left}. "
        + CLAIM_HINT.en,
    ),
    **claim_views.NOTICES,
    **delegation_views.NOTICES,
    **operators.NOTICES,
}
"""By kind of notice; the words in braces are the notice's facts, and `day` the day it is due."""


@router.get("/notices", operation_id="listNotices", summary="通知 / Notices")
def list_notices(
    who: Member,
    platform: PlatformDep,
    spoken: LanguageDep,
    page_size: PageSize = DEFAULT_SIZE,
    page_token: PageToken = None,
) -> NoticePage:
    """The account's notices, newest first."""
    after = NOTICES.after(page_token)
    with reading(platform.engine) as reader:
        rows = queries.notices(reader, viewer(who), after, page_size + 1)
    page, token = NOTICES.page(rows, page_size, lambda row: NewestFirst(row.created_at, row.id))
    return NoticePage(
        notices=[_view(row, spoken) for row in page], pagination=Pagination(next_page_token=token)
    )


def _view(row: Notice, spoken: Language) -> NoticeView:
    sentence = SENTENCES[row.kind]
    day = china_day(row.due_at).isoformat() if row.due_at else ""
    message = (sentence.zh if spoken == "zh" else sentence.en).format(day=day, **row.facts)
    return NoticeView(
        id=row.id, kind=row.kind, backup_id=row.backup_id, message=message, created_at=row.created_at
    )
