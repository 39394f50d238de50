"""What client, worker and replayer must agree on, in one object, so that none can forget a part."""

import dataclasses
import os

import pydantic
from temporalio.client import ClientConfig
from temporalio.common import HeaderCodecBehavior
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DefaultFailureConverterWithEncodedAttributes
from temporalio.plugin import SimplePlugin
from temporalio.worker import ReplayerConfig, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import SandboxImportNotificationPolicy

from wire.codec import EncryptionCodec
from wire.keys import KeyRing
from wire.readable import MarkingConverter

PASSED_THROUGH = ("schemas", "activities", "rules", "manifests", "store", "settings", "wire")
"""Our packages that the workflow sandbox does not load anew for every run.

``workflows`` is not among them: a workflow's own module must be loaded inside the sandbox, which is what
catches ``datetime.now()``, ``random`` and ``open`` in it.
"""


class WirePlugin(SimplePlugin):
    """Pydantic payloads, encrypted but for summaries; failures and headers encrypted; a strict sandbox.

    Pass it to ``Client.connect(plugins=[...])`` (workers take it over from their client) and to
    ``Replayer(plugins=[...])``.
    """

    def __init__(self, keys: KeyRing, namespace: str) -> None:
        refuse_payload_printing()
        super().__init__(
            "hgrip",
            data_converter=dataclasses.replace(
                pydantic_data_converter,
                payload_converter_class=MarkingConverter,
                payload_codec=EncryptionCodec(keys.codec, namespace),
                failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
            ),
            workflow_runner=_strict,
            # A message that does not fit its model fails its workflow at once instead of retrying for ever.
            workflow_failure_exception_types=[pydantic.ValidationError],
        )

    def configure_client(self, config: ClientConfig) -> ClientConfig:
        """Encrypt headers as well, which the SDK does not by default."""
        config = super().configure_client(config)
        config["header_codec_behavior"] = HeaderCodecBehavior.CODEC
        return config

    def configure_replayer(self, config: ReplayerConfig) -> ReplayerConfig:
        """Read headers as the client wrote them."""
        config = super().configure_replayer(config)
        config["header_codec_behavior"] = HeaderCodecBehavior.CODEC
        return config


def refuse_payload_printing() -> None:
    """Refuse to run while the SDK is told to print whole payloads.

    Raises:
        RuntimeError: ``TEMPORAL_PRINT_FULL_PAYLOADS`` is set.
    """
    if "TEMPORAL_PRINT_FULL_PAYLOADS" in os.environ:
        raise RuntimeError(
            "环境变量 TEMPORAL_PRINT_FULL_PAYLOADS 会把个人信息写入日志，请取消后重新启动 / "
            "TEMPORAL_PRINT_FULL_PAYLOADS would print personal data into logs; unset it and start again"
        )


def _strict(runner: WorkflowRunner | None) -> WorkflowRunner:
    if runner is None:
        runner = SandboxedWorkflowRunner()
    if not isinstance(runner, SandboxedWorkflowRunner):
        return runner
    restrictions = runner.restrictions.with_passthrough_modules(
        *PASSED_THROUGH
    ).with_import_notification_policy(SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH)
    return dataclasses.replace(runner, restrictions=restrictions)
