"""The one way to reach Temporal."""

import asyncio
import ipaddress
from datetime import timedelta

from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.service import GrpcCompression, RetryConfig

from settings import Settings
from wire.keys import KeyRing
from wire.plugin import WirePlugin

ATTEMPTS = 8
"""Connection attempts, 0.1 s apart and doubling: about 13 s in all."""

HEARTBEAT = timedelta(seconds=10)
"""How often a worker tells Temporal how busy it is (``hgrip workers``)."""


class TemporalUnreachableError(ConnectionError):
    """Nobody answers at the address of Temporal; the text says which address."""


def worker_runtime(metrics: str) -> Runtime:
    """The SDK's runtime of a worker: it tells Temporal every few seconds how busy it is.

    Args:
        metrics: ``host:port`` where the SDK shows its metrics for Prometheus; empty for nowhere.

    Raises:
        ValueError: Nothing can listen there.
    """
    shown = PrometheusConfig(bind_address=metrics, counters_total_suffix=True, durations_as_seconds=True)
    return Runtime(
        telemetry=TelemetryConfig(metrics=shown if metrics else None), worker_heartbeat_interval=HEARTBEAT
    )


async def connect(settings: Settings, runtime: Runtime | None = None) -> Client:
    """Connect to Temporal with our plugin, waiting a little for a server that is just starting.

    TLS and API keys come from Temporal's own ``TEMPORAL_*`` variables or profile file.

    Args:
        settings: Where Temporal is, and the keys.
        runtime: Of the SDK, where it is to be another than the default (`worker_runtime`).

    Raises:
        TemporalUnreachableError: Nobody answers at ``settings.temporal_address``.
        KeysError: The key file cannot be read.
    """
    plugin = WirePlugin(KeyRing.load(settings.keys_file), settings.temporal_namespace)
    profile = ClientConfig.load_client_connect_config()
    profile["target_host"] = settings.temporal_address
    profile["namespace"] = settings.temporal_namespace
    for attempt in range(ATTEMPTS):
        try:
            return await Client.connect(
                **profile,
                plugins=[plugin],
                retry_config=RetryConfig(max_elapsed_time_millis=5_000),
                grpc_compression=_compression(settings.temporal_address),
                runtime=runtime,
            )
        except RuntimeError:
            await asyncio.sleep(0.1 * 2**attempt)
    raise TemporalUnreachableError(
        f"无法连接 Temporal（{settings.temporal_address}）：请检查它是否已启动、地址是否正确 / "
        f"Cannot reach Temporal at {settings.temporal_address}: check that it runs and the address is right"
    )


def _compression(address: str) -> GrpcCompression:
    """Compressing what never leaves the machine only costs time."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    return GrpcCompression.NONE if loopback else GrpcCompression.GZIP
