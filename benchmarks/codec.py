"""What encryption costs: the same submission with and without the codec, in one run.

The worker and the client in the clear are made here. Production has no switch for it.
"""

import asyncio
import dataclasses
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from temporalio.client import Client, ClientConfig
from temporalio.service import GrpcCompression

import worker
from benchmarks.ground import Ground, seconds
from benchmarks.rows import Row, Timed, alternate, p50, ratio
from schemas.contracts.backups import Submit
from wire.keys import KeyRing
from wire.plugin import WirePlugin
from workflows.backup_creation import BackupCreation

QUEUE = "in-the-clear"
PAUSE = 0.05
"""Seconds for what the filling of the draft has left to do."""


class ClearPlugin(WirePlugin):
    """Our plugin without its codec."""

    def configure_client(self, config: ClientConfig) -> ClientConfig:
        """Everything but encryption."""
        config = super().configure_client(config)
        config["data_converter"] = dataclasses.replace(config["data_converter"], payload_codec=None)
        return config


@dataclass(frozen=True)
class _InTheClear(Ground):
    @property
    def queue(self) -> str:
        """Task queue of the worker without the codec."""
        return QUEUE


async def measure(ground: Ground) -> list[Row]:
    """Submissions of both kinds, one by one in turn."""
    settings = ground.platform.settings.model_copy(update={"task_queue": QUEUE})
    plugin = ClearPlugin(KeyRing.load(settings.keys_file), settings.temporal_namespace)
    client = await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        plugins=[plugin],
        grpc_compression=GrpcCompression.NONE,
    )
    parts = {field.name: getattr(ground, field.name) for field in dataclasses.fields(ground)}
    clear = _InTheClear(**{**parts, "client": client})
    with ThreadPoolExecutor(worker.THREADS) as threads:
        async with worker.build(settings, client, threads, sandboxed=False):
            times = await alternate({"encrypted": _submit(ground), "clear": _submit(clear)}, turn=1)
    return [
        ratio(
            "codec_tax",
            "submit → backup number with the encrypting codec, beside the same without",
            times["encrypted"],
            times["clear"],
            floor=1,
            goal=1.05,
        ),
        *(p50(f"submit_{kind}_ms", f"submit, {kind}, p50", times[kind]) for kind in times),
    ]


def _submit(ground: Ground) -> Timed:
    async def submit() -> float:
        backup_id = await ground.filled()
        await asyncio.sleep(PAUSE)
        command = Submit(account_id=ground.account_id)
        return await seconds(ground.update(backup_id, BackupCreation.submit, command))

    return submit
