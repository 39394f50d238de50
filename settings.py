"""What a deployment decides, read once at start-up.

Every setting is an environment variable ``HGRIP_<NAME>``; or a line of the file named by ``HGRIP_ENV_FILE``
(default ``var/hgrip.env``, which a running ``hgrip run`` writes for the commands beside it); or a file
``hgrip_<name>`` in the folder named by ``HGRIP_SECRETS_DIR`` (container secrets). The first found counts.
"""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, HttpUrl, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.sms import SmsKind


class SettingsError(Exception):
    """A setting is missing or wrong; the text names it in Chinese and English, never its value."""


class Settings(BaseSettings):
    """Settings shared by the worker, the API and the command line.

    TLS certificates and API keys for Temporal are not here: ``wire.client.connect`` takes them from
    Temporal's own ``TEMPORAL_*`` variables or profile file, which the ``temporal`` command reads as well.

    Attributes:
        database_url: ``postgresql+psycopg://user:password@host:port/database``.
        temporal_address: ``host:port`` of Temporal's front end.
        temporal_namespace: Temporal namespace that holds all workflows.
        task_queue: Task queue that the workers of this deployment poll.
        keys_file: JSON file of the key ring (``wire.keys.KeyRing``).
        rule_signers: JSON file of the public keys whose holders may publish rules
            (``rules.engine.signing.Signers``); worker and API follow its changes.
        token_issuer: ``iss`` that bearer tokens must carry.
        token_audience: ``aud`` that bearer tokens must carry.
        jwks: Path or URL of the issuer's JSON Web Key Set.
        repository_lookup: How accessions are looked up at the repositories: ``offline`` asks nobody, ``cncb``
            asks the public services of CNCB-NGDC.
        repository_url: Where those services are.
        deployment: ``production``, where nothing may run that is for development only; or ``development``.
        sms_carrier: Who sends text messages: ``inbox`` shows them to whoever asks, for development only;
            ``aliyun`` and ``tencent`` are extras of the package.
        sms_key_id: AccessKey ID of Aliyun, SecretId of Tencent Cloud.
        sms_key_secret: The secret that goes with it.
        sms_signature: Approved signature (签名).
        sms_claim_code_template: Template (模板) approved for the code of a claim.
        sms_step_up_code_template: Template approved for the code of an administrator.
        sms_app_id: Tencent Cloud's SmsSdkAppId.
        sms_endpoint: Where the carrier's API is, when not where its SDK has it.
        sms_receipt_secret: Last part of the address that receipts are sent to; none are taken without it.
        answer_keys: JSON Web Key Set whose first key signs answers to other systems and heads of the audit
            trail (``store.answer_keys``); without it none are given.
        public_url: Where people reach this API, for the QR codes of certificates; without it no PDF is set.
        temporal_ui_url: Where operators reach the Temporal Web UI; timelines lead there.
        ui_origins: Origins of the Temporal Web UI that may ask the codec server, apart by blanks.
        api_metrics: ``host:port`` where the API shows its metrics; apart from its own, which is public. None
            are shown without it.
        worker_metrics: ``host:port`` where the worker shows the metrics of Temporal's SDK, likewise.
        log_format: ``json`` for machines, ``console`` for people.
    """

    model_config = SettingsConfigDict(
        env_prefix="HGRIP_", frozen=True, hide_input_in_errors=True, validate_default=True
    )

    database_url: SecretStr
    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "hgr"
    task_queue: str = "hgrip"
    keys_file: Path
    rule_signers: Path
    token_issuer: str
    token_audience: str = Field(default="hgrip")
    jwks: str
    repository_lookup: Literal["offline", "cncb"] = "offline"
    repository_url: HttpUrl = HttpUrl("https://ngdc.cncb.ac.cn")
    deployment: Literal["development", "production"] = "production"
    sms_carrier: Literal["inbox", "aliyun", "tencent"] = "inbox"
    sms_key_id: str = ""
    sms_key_secret: SecretStr = SecretStr("")
    sms_signature: str = ""
    sms_claim_code_template: str = ""
    sms_step_up_code_template: str = ""
    sms_app_id: str = ""
    sms_endpoint: HttpUrl | None = None
    sms_receipt_secret: SecretStr = SecretStr("")
    answer_keys: Path | None = None
    public_url: HttpUrl | None = None
    temporal_ui_url: HttpUrl | None = None
    ui_origins: str = "http://127.0.0.1:8233 http://localhost:8233"
    api_metrics: str = ""
    worker_metrics: str = ""
    log_format: Literal["console", "json"] = "json"

    @field_validator("database_url")
    @classmethod
    def _only_psycopg(cls, url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith("postgresql+psycopg://"):
            raise ValueError("must start with postgresql+psycopg://")
        return url

    @field_validator("sms_carrier")
    @classmethod
    def _no_inbox_in_production(cls, carrier: str, before: ValidationInfo) -> str:
        if carrier == "inbox" and before.data.get("deployment") == "production":
            raise ValueError(
                "inbox 仅限开发环境：请选 aliyun 或 tencent，或设 HGRIP_DEPLOYMENT=development / "
                "inbox is for development only: choose aliyun or tencent, or set HGRIP_DEPLOYMENT=development"
            )
        return carrier

    @field_validator(
        "sms_key_id",
        "sms_key_secret",
        "sms_signature",
        "sms_claim_code_template",
        "sms_step_up_code_template",
        "sms_app_id",
    )
    @classmethod
    def _there_for_the_carrier(cls, value: str | SecretStr, before: ValidationInfo) -> str | SecretStr:
        carrier = before.data.get("sms_carrier", "inbox")
        needed = carrier == "tencent" or (carrier == "aliyun" and before.field_name != "sms_app_id")
        if needed and not (value.get_secret_value() if isinstance(value, SecretStr) else value):
            raise ValueError(f"{carrier} 需要此项 / {carrier} needs it")
        return value

    @property
    def sms_templates(self) -> dict[SmsKind, str]:
        """The approved template of each kind of message."""
        return {"claim_code": self.sms_claim_code_template, "step_up_code": self.sms_step_up_code_template}

    def environment(self) -> dict[str, str]:
        """These settings as environment variables for a child process; holds secrets, so never print it."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            f"HGRIP_{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in values.items()
            if value is not None
        }


def load() -> Settings:
    """Read the settings.

    Raises:
        SettingsError: Names each variable that is missing or wrong.
    """
    try:
        return Settings(
            _env_file=os.environ.get("HGRIP_ENV_FILE", "var/hgrip.env"),
            _secrets_dir=os.environ.get("HGRIP_SECRETS_DIR"),
        )
    except ValidationError as error:
        faults = [
            f"HGRIP_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in error.errors()
        ]
    raise SettingsError(
        "环境变量缺失或有误，请补正后重新启动 / "
        "Environment variables are missing or wrong; set them and start again:\n  " + "\n  ".join(faults)
    )
