"""Accounts: who is signed in, mirrored into the database when their token says something new."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends
from starlette.concurrency import run_in_threadpool

from api.attribution import CLAIM_HINT, attribution, begin
from api.auth import Identity, IdentityDep, PersonDep
from api.bodies import StrictRoute
from api.changes import Key
from api.language import LanguageDep
from api.platform import Platform, PlatformDep
from rules.engine.procedures import Matching
from schemas.errors import Refusal
from schemas.http.accounts import AccountView, AttributionView
from schemas.texts import Language
from store.accounts import Profile, sign_in
from store.database import Writer, reading, writing
from store.queries import Viewer

router = APIRouter(prefix="/v1/me", tags=["account"], route_class=StrictRoute)


async def member(who: PersonDep, platform: PlatformDep) -> Identity:
    """Dependency: an authorised person whom the database knows as the token describes them."""
    await mirror(who, platform)
    return who


Member = Annotated[Identity, Depends(member)]


async def mirror(who: Identity, platform: Platform) -> None:
    """Bring the mirror of an account up to date, once for every change of its token's claims."""
    if platform.mirrored.get(who.account_id) != who:
        await run_in_threadpool(_sign_in, who, platform)
        platform.mirrored[who.account_id] = who


def viewer(who: Identity) -> Viewer:
    """What an account may see."""
    return Viewer(who.account_id, who.unit_code if "unit_administrator" in who.roles else None)


@router.post("/sign-ins", operation_id="signIn", summary="登录 / Sign in")
async def sign_in_(
    key: Key, who: IdentityDep, platform: PlatformDep, spoken: LanguageDep, afterwards: BackgroundTasks
) -> AccountView:
    """Record a sign-in; tell what the account may do, and which step is missing where it may not yet.

    The first starts the attribution of legacy backups, and does not wait for it. Repeated, it changes
    nothing, whatever its key; it takes one because every POST does.
    """
    await mirror(who, platform)
    attributed = await run_in_threadpool(_attribution, who, platform, spoken)
    if attributed.state == "pending":
        afterwards.add_task(begin, platform.temporal, platform.task_queue, who.account_id)
    return AccountView(
        account_id=who.account_id,
        name=who.name,
        unit_code=who.unit_code,
        unit_name=who.unit_name,
        real_name_verified=who.real_name_verified,
        unit_authorised=who.unit_authorised,
        roles=sorted(who.roles),
        attribution=attributed,
    )


def _attribution(who: Identity, platform: Platform, spoken: Language) -> AttributionView:
    hint = CLAIM_HINT.zh if spoken == "zh" else CLAIM_HINT.en
    with reading(platform.engine) as reader:
        return attribution(reader, who.account_id, hint)


def _sign_in(who: Identity, platform: Platform) -> None:
    profile = Profile(
        account_id=who.account_id,
        name=who.name,
        phone=who.phone,
        unit_code=who.unit_code,
        unit_name=who.unit_name,
        real_name_verified=who.real_name_verified,
        unit_authorised=who.unit_authorised,
        unit_administrator="unit_administrator" in who.roles,
        said_at=who.issued_at,
    )
    now = datetime.now(UTC)
    with writing(platform.engine) as writer:
        sign_in(writer, platform.cipher, profile, now, _matching(writer, platform, now))


def _matching(writer: Writer, platform: Platform, at: datetime) -> Matching | None:
    """How names are compared today; None while no release that says so is in force."""
    try:
        return platform.rulebooks.in_force(writer, at).release.procedure("claiming").matching
    except (Refusal, KeyError):
        return None
