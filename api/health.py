"""Whether the service lives, whether it can work, and what it is."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, NamedTuple

import structlog
from fastapi import APIRouter, Response
from pydantic import BaseModel

from api.bodies import StrictRoute
from schemas.texts import Text

log = structlog.get_logger()

TIMEOUT = 2.0
"""Seconds after which a check counts as failed."""


class Check(NamedTuple):
    """One thing the service cannot work without.

    Attributes:
        name: E.g. ``database``.
        works: Returns when it works, raises when it does not.
        mend: What an operator does when it does not.
    """

    name: str
    works: Callable[[], Awaitable[object]]
    mend: Text


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Sentence(BaseModel):
    """One sentence in both languages: operators see it in monitors that state no language."""

    zh: str
    en: str


class CheckState(BaseModel):
    """How one check went; ``mend`` only where it failed."""

    name: str
    state: Literal["works", "failed"]
    mend: Sentence | None = None


class Readiness(BaseModel):
    """Whether requests can be served."""

    status: Literal["ready", "not_ready"]
    checks: list[CheckState]


class ServiceType(BaseModel):
    """Which API this is (GA4GH service-info 1.0)."""

    group: str = "org.hgrip"
    artifact: str = "hgrip"
    version: str = "1.0.0"


class Organization(BaseModel):
    """Who runs the service (GA4GH service-info 1.0)."""

    name: str
    url: str


class ServiceInfo(BaseModel):
    """GA4GH service-info 1.0."""

    id: str
    name: str
    type: ServiceType = ServiceType()
    description: str
    organization: Organization
    contactUrl: str | None = None  # noqa: N815 - GA4GH's spelling
    documentationUrl: str = "/docs"  # noqa: N815
    environment: str
    version: str


def router(checks: Sequence[Check], service: ServiceInfo) -> APIRouter:
    """The addresses that monitors and directories ask, none of which wants a token."""
    routes = APIRouter(tags=["service"], route_class=StrictRoute)

    @routes.get("/livez", operation_id="getLiveness")
    async def livez() -> Alive:
        """进程存活 / The process answers."""
        return Alive()

    @routes.get("/readyz", operation_id="getReadiness", responses={503: {"model": Readiness}})
    async def readyz(response: Response) -> Readiness:
        """可以受理请求 / Requests can be served; 503 where not, with what to do."""
        states = await asyncio.gather(*map(_state, checks))
        ready = all(state.state == "works" for state in states)
        response.status_code = 200 if ready else 503
        return Readiness(status="ready" if ready else "not_ready", checks=states)

    @routes.get("/service-info", operation_id="getServiceInfo", response_model_exclude_none=True)
    async def service_info() -> ServiceInfo:
        """服务说明 / What this service is (GA4GH service-info 1.0)."""
        return service

    return routes


async def _state(check: Check) -> CheckState:
    try:
        async with asyncio.timeout(TIMEOUT):
            await check.works()
    except Exception as error:
        log.warning("not ready", check=check.name, error=type(error).__name__)
        return CheckState(name=check.name, state="failed", mend=Sentence(zh=check.mend.zh, en=check.mend.en))
    return CheckState(name=check.name, state="works")
