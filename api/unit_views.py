"""A unit's people and backups: for its administrators and, masked, for operators (notice, section 三)."""

from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Row

from api.accounts import mirror
from api.auth import IdentityDep, require_authorised
from api.bodies import StrictRoute
from api.claim_views import masked_name, masked_phone
from api.pages import DEFAULT_SIZE, Keyset, NewestFirst, PageSize, PageToken
from api.platform import Platform, PlatformDep
from rules.engine.persons import normalise_name
from rules.engine.procedures import Matching
from schemas.errors import Refusal
from schemas.http import unit_views as http
from schemas.http.backups import Pagination
from schemas.tables.backups import OPEN_STATES
from schemas.texts import Text
from store import search
from store.database import Reader, asking
from store.encryption import ColumnCipher
from store.search import Filters

router = APIRouter(prefix="/v1/unit", tags=["unit"], route_class=StrictRoute)

PEOPLE: Keyset[UUID] = Keyset("unit people", UUID)
UNIT_BACKUPS: Keyset[NewestFirst] = Keyset("unit backups", NewestFirst)
_NAME_THE_UNIT = Text("运维人员请以 unit 指明单位。", "Operators name the unit by `unit`.")


class Scope(NamedTuple):
    """Which unit is looked at, and whether names are masked."""

    unit_code: str
    masked: bool


async def scope(
    who: IdentityDep,
    platform: PlatformDep,
    unit: Annotated[
        str | None,
        Query(
            pattern="^[0-9A-HJ-NPQRTUWXY]{18}$",
            description="统一社会信用代码，仅供运维人员 / Unified social credit code, for operators only",
        ),
    ] = None,
) -> Scope:
    """Dependency: the unit that may be looked at.

    Raises:
        Refusal: ``not_allowed``, ``real_name_missing`` or ``unit_authorisation_missing``.
    """
    own = "unit_administrator" in who.roles and unit in (None, who.unit_code)
    if own or "operator" not in who.roles:
        require_authorised(who)
        await mirror(who, platform)
    if own:
        return Scope(who.unit_code, False)
    if "operator" not in who.roles:
        raise Refusal("not_allowed")
    if unit is None:
        raise Refusal("not_allowed", _NAME_THE_UNIT)
    return Scope(unit, True)


ScopeDep = Annotated[Scope, Depends(scope)]


async def _filters(
    state: Annotated[http.State | None, Query(description="只列此状态 / Only this state")] = None,
    category: Annotated[
        str | None, Query(pattern="^[a-z0-9-]{1,64}$", description="信息类型 / Only with this category")
    ] = None,
    delegate_id: Annotated[UUID | None, Query(description="委托人 / Only of this person")] = None,
    created_from: Annotated[
        http.Moment | None, Query(description="此时或之后创建 / Created then or later")
    ] = None,
    created_before: Annotated[http.Moment | None, Query(description="此时之前创建 / Created before")] = None,
) -> Filters:
    """Dependency: what may be asked for in an address; what a person typed comes by POST."""
    return Filters(
        state=state,
        category=category,
        delegate_id=delegate_id,
        created_from=created_from,
        created_before=created_before,
    )


FiltersDep = Annotated[Filters, Depends(_filters)]


@router.get("/people", operation_id="listUnitPeople", summary="本单位人员 / People of the unit")
def list_people(
    where: ScopeDep, platform: PlatformDep, page_size: PageSize = DEFAULT_SIZE, page_token: PageToken = None
) -> http.PeoplePage:
    """The unit's people with what they hold; who has left and still holds backups is among them."""
    after = PEOPLE.after(page_token)
    with asking(platform.engine) as reader:
        rows = search.people(reader, where.unit_code, after, page_size + 1)
    page, token = PEOPLE.page(rows, page_size, lambda row: row.id)
    names = Names(platform.cipher, where.masked)
    return http.PeoplePage(
        people=[_person(platform.cipher, names, row) for row in page],
        pagination=Pagination(next_page_token=token),
    )


@router.get("/backups", operation_id="listUnitBackups", summary="本单位备份 / Backups of the unit")
def list_unit_backups(
    where: ScopeDep,
    filters: FiltersDep,
    platform: PlatformDep,
    page_size: PageSize = DEFAULT_SIZE,
    page_token: PageToken = None,
) -> http.UnitBackupPage:
    """The unit's backups, newest first."""
    with asking(platform.engine) as reader:
        return _page(platform, reader, where, filters, page_size, page_token)


@router.post(
    "/backup-searches", operation_id="searchUnitBackups", summary="查找本单位备份 / Search the unit's backups"
)
def search_unit_backups(
    body: http.BackupSearch, where: ScopeDep, platform: PlatformDep
) -> http.UnitBackupPage:
    """Look for backups by number, title, accession, person and whatever the list is filtered by.

    It changes nothing, so it takes no Idempotency-Key.
    """
    with asking(platform.engine) as reader:
        filters = _searched(platform, reader, body)
        return _page(platform, reader, where, filters, body.page_size, body.page_token)


def _searched(platform: Platform, reader: Reader, body: http.BackupSearch) -> Filters:
    name_index = None
    if body.person_name is not None:
        name = normalise_name(body.person_name, _matching(platform, reader))
        name_index = platform.cipher.blind_index("name", name)
    return Filters(
        number=body.number and body.number.strip(),
        title=body.title,
        accession=body.accession and body.accession.strip().upper(),
        name_index=name_index,
        delegate_id=body.delegate_id,
        state=body.state,
        category=body.category,
        created_from=body.created_from,
        created_before=body.created_before,
    )


def _matching(platform: Platform, reader: Reader) -> Matching:
    """How names are compared, by the rules in force; asked once a minute, for it decides nothing."""
    now = datetime.now(UTC)
    minute = now.replace(second=0, microsecond=0)
    known = platform.matching.get(minute)
    if known is None:
        known = platform.rulebooks.in_force(reader, now).release.procedure("claiming").matching
        platform.matching.clear()
        platform.matching[minute] = known
    return known


def _page(
    platform: Platform, reader: Reader, where: Scope, filters: Filters, size: int, token: str | None
) -> http.UnitBackupPage:
    after = UNIT_BACKUPS.after(token)
    rows = search.unit_backups(reader, where.unit_code, filters, after, size + 1)
    page, following = UNIT_BACKUPS.page(rows, size, lambda row: NewestFirst(row.created_at, row.id))
    names = Names(platform.cipher, where.masked)
    return http.UnitBackupPage(
        backups=[backup_view(names, row) for row in page],
        pagination=Pagination(next_page_token=following),
    )


class Names:
    """The names of a list's people, each decrypted once; masked where the reader may not know them."""

    def __init__(self, cipher: ColumnCipher, masked: bool) -> None:
        self._cipher = cipher
        self._masked = masked
        self._known: dict[UUID, str] = {}

    def of(self, account_id: UUID, sealed: bytes | None) -> str:
        """Somebody's name by its encrypted column; empty where there is none."""
        name = self._known.get(account_id)
        if name is None:
            name = self._cipher.decrypt(sealed, "account", "name", account_id) if sealed else ""
            name = self._known[account_id] = masked_name(name) if self._masked else name
        return name


def backup_view(names: Names, row: Row[Any]) -> http.UnitBackupView:
    """One backup of a list."""
    return http.UnitBackupView(
        id=row.id,
        number=row.number,
        state=row.state,
        title=row.title,
        created_at=row.created_at,
        saved_at=row.saved_at,
        version=row.version,
        corrects_id=row.corrects_id,
        expires_at=row.expires_at if row.state in OPEN_STATES else None,
        delegate_id=row.delegate_id,
        delegate_name=names.of(row.delegate_id, row.name),
        categories=row.categories,
        data_files=row.data_files,
    )


def _person(cipher: ColumnCipher, names: Names, row: Row[Any]) -> http.PersonView:
    phone = cipher.decrypt(row.phone, "account", "phone", row.id) if row.phone else ""
    return http.PersonView(
        account_id=row.id,
        name=names.of(row.id, row.name),
        phone=masked_phone(phone) if phone else "",
        member=row.member,
        drafts=row.drafts,
        numbered=row.numbered,
        closed=row.closed,
    )
