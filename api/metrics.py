"""Metrics (监控指标) of the API, for Prometheus: requests by route, problems by code, and gauges.

They are shown at an address of their own (``HGRIP_API_METRICS``), never at the API's, which is public. Labels
are route templates, methods, statuses and codes: all of a known number, none with an id.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from store import gauges
from store.database import reading

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)
"""Seconds; a list of a million rows takes a minute."""


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "hgrip_http_requests", "Requests", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "hgrip_http_request_seconds",
            "Time until an answer was sent",
            ["method", "route"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.problems = Counter("hgrip_problems", "Refusals and failures", ["code"], registry=self.registry)

    @contextmanager
    def shown(self, address: str, engine: Engine) -> Iterator[None]:
        """Show them, and the platform's gauges, at ``host:port`` while the block lasts; nowhere for none.

        Raises:
            OSError: Nothing can listen there.
        """
        if not address:
            yield
            return
        self.registry.register(PlatformGauges(engine))
        host, _, port = address.rpartition(":")
        server, thread = start_http_server(int(port), host, self.registry)
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class PlatformGauges(Collector):
    """The platform as a whole, read from the database when monitoring asks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> Iterable[Metric]:
        """Nothing: a description must not wait for a database."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Whether the database answers, and if so all figures."""
        up = GaugeMetricFamily("hgrip_database_up", "Whether the database answers")
        try:
            with reading(self._engine) as reader:
                figures = gauges.read(reader)
        except SQLAlchemyError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        for gauge, values in figures.items():
            family = GaugeMetricFamily(
                f"hgrip_{gauge.name}", gauge.what, labels=[gauge.label] if gauge.label else []
            )
            for told, value in values:
                family.add_metric([told] if gauge.label else [], value)
            yield family


class Metered:
    """Middleware: counts every answer."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        scope.setdefault("state", {})

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._count(scope, message["status"], time.perf_counter() - began)
            await send(message)

        await self.app(scope, receive, send_counted)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = getattr(scope.get("route"), "path", "none")
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.seconds.labels(method, route).observe(seconds)
        if "refused" in scope["state"]:
            self._metrics.problems.labels(scope["state"]["refused"]).inc()
