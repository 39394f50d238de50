"""The API's composition root: settings → database, keys, rules, Temporal → routers."""

import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version

from fastapi import FastAPI
from sqlalchemy import text
from starlette.concurrency import run_in_threadpool

import logs
import settings as configuration
from api import (
    accounts,
    amendments,
    audit,
    backups,
    certificates,
    claims,
    comparisons,
    delegation,
    drafts,
    eligibility,
    exports,
    health,
    notices,
    ops,
    prior_reports,
    problems,
    procedures,
    rules,
    sms,
    timeline,
    unit_claims,
    unit_views,
    uploads,
    verify,
)
from api.auth import Authenticator
from api.health import Check, Organization, ServiceInfo
from api.metrics import Metered, Metrics
from api.platform import Platform
from schemas.texts import Text
from settings import Settings
from store.answer_keys import AnswerKeys
from store.database import connect as connect_database
from store.database import reading
from store.eligibility import Eligibility
from store.encryption import ColumnCipher
from store.forms import FormStore
from store.quotas import Quotas
from store.releases import Rulebooks
from wire.client import connect as connect_temporal
from wire.keys import KeyRing

DESCRIPTION = """
人类遗传资源信息备份：① 项目信息 ② 备份信息 ③ 数据文件信息 → 备份编号。

Information backup of human genetic resources: ① project ② backup information ③ data files → backup number.
An independent implementation, not affiliated with CNCB-NGDC.

Every POST carries an `Idempotency-Key` (a UUID), every save an `If-Match`; errors are RFC 9457 problems in
Chinese or, by `Accept-Language`, in English.
"""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Put the API together; it connects when it starts.

    Args:
        settings: Read from the environment when None.
    """
    configured = settings or configuration.load()
    logs.configure(configured.log_format)
    app = FastAPI(
        title="hgrip",
        version=version("hgrip"),
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        responses=problems.RESPONSES,
        lifespan=_lifespan(configured),
    )
    problems.install(app)
    app.state.metrics = Metrics()
    app.add_middleware(Metered, metrics=app.state.metrics)
    app.state.authenticator = Authenticator(
        configured.token_issuer, configured.token_audience, configured.jwks
    )
    for router in (
        accounts.router,
        notices.router,
        procedures.router,
        backups.router,
        certificates.router,
        verify.router,
        drafts.router,
        uploads.router,
        rules.router,
        comparisons.router,
        claims.router,
        unit_claims.router,
        unit_views.router,
        exports.router,
        delegation.router,
        eligibility.router,
        prior_reports.router,
        amendments.router,
        sms.router(configured),
        audit.router,
        ops.router,
        timeline.router,
        health.router(_checks(app), _service_info(configured)),
    ):
        app.include_router(router)
    return app


def _lifespan(settings: Settings) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = connect_database(settings.database_url.get_secret_value())
        cipher = ColumnCipher(KeyRing.load(settings.keys_file))
        rulebooks = Rulebooks(settings.rule_signers)
        app.state.platform = Platform(
            engine=engine,
            cipher=cipher,
            forms=FormStore(cipher),
            rulebooks=rulebooks,
            temporal=await connect_temporal(settings),
            task_queue=settings.task_queue,
            answer_keys=AnswerKeys.load(settings.answer_keys),
            eligibility=Eligibility(rulebooks),
            quotas=Quotas(engine),
            public_url=str(settings.public_url) if settings.public_url else None,
            temporal_ui=str(settings.temporal_ui_url) if settings.temporal_ui_url else None,
        )
        gc.collect()
        gc.freeze()  # what start-up made stays for ever: to look through it again and again holds requests up
        with app.state.metrics.shown(settings.api_metrics, engine):
            yield
        engine.dispose()

    return lifespan


def _checks(app: FastAPI) -> list[Check]:
    def read(what: Callable[[Platform], object]) -> Callable[[], Awaitable[object]]:
        return lambda: run_in_threadpool(what, app.state.platform)

    async def temporal() -> None:
        if not await app.state.platform.temporal.service_client.check_health():
            raise ConnectionError

    return [
        Check(
            "database", read(_database), Text("请检查 PostgreSQL 是否运行。", "Check that PostgreSQL runs.")
        ),
        Check("temporal", temporal, Text("请检查 Temporal 是否运行。", "Check that Temporal runs.")),
        Check(
            "rulebook",
            read(_rulebook),
            Text("请用 hgrip rules publish 发布规则。", "Publish the rules: hgrip rules publish."),
        ),
    ]


def _database(platform: Platform) -> None:
    with reading(platform.engine) as reader:
        reader.execute(text("SELECT 1"))


def _rulebook(platform: Platform) -> None:
    with reading(platform.engine) as reader:
        platform.rulebooks.in_force(reader, datetime.now(UTC))


def _service_info(settings: Settings) -> ServiceInfo:
    return ServiceInfo(
        id="org.hgrip.api",
        name="hgrip",
        description="Information backup of human genetic resources",
        organization=Organization(name="hgrip", url="/"),
        environment=settings.deployment,
        version=version("hgrip"),
    )
