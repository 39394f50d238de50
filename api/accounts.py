"""Accounts: who is signed in, mirrored into the database when their token says something new."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool

from api.auth import Identity, IdentityDep, PersonDep
from api.bodies import StrictRoute
from api.changes import Key
from api.platform import Platform, PlatformDep
from schemas.http.accounts import AccountView
from store.accounts import Profile, sign_in
from store.database import writing
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
async def sign_in_(key: Key, who: IdentityDep, platform: PlatformDep) -> AccountView:
    """Record a sign-in; tell what the account may do, and which step is missing where it may not yet.

    Repeated, it changes nothing, whatever its key; it takes one because every POST does.
    """
    await mirror(who, platform)
    return AccountView(
        account_id=who.account_id,
        name=who.name,
        unit_code=who.unit_code,
        unit_name=who.unit_name,
        real_name_verified=who.real_name_verified,
        unit_authorised=who.unit_authorised,
        roles=sorted(who.roles),
    )


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
    )
    with writing(platform.engine) as writer:
        sign_in(writer, platform.cipher, profile, datetime.now(UTC))
