"""Settings from the environment, a file, or container secrets."""

from pathlib import Path

import pytest

import settings

COMPLETE = {
    "HGRIP_DATABASE_URL": "postgresql+psycopg://hgrip:secret-word@127.0.0.1/hgrip",
    "HGRIP_KEYS_FILE": "/run/keys.json",
    "HGRIP_RULE_SIGNERS": "/run/signers.json",
    "HGRIP_TOKEN_ISSUER": "https://issuer.test",
    "HGRIP_JWKS": "/run/jwks.json",
    "HGRIP_SMS_CARRIER": "inbox",
    "HGRIP_DEPLOYMENT": "development",
}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in settings.Settings.model_fields:
        monkeypatch.delenv(f"HGRIP_{name.upper()}", raising=False)
    monkeypatch.setenv("HGRIP_ENV_FILE", str(tmp_path / "hgrip.env"))


def test_settings_travel_to_a_child_process_and_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    original = settings.load()
    for name in COMPLETE:
        monkeypatch.delenv(name)
    lines = [f"{name}={value}" for name, value in original.environment().items()]
    (tmp_path / "hgrip.env").write_text("\n".join(lines))
    assert settings.load() == original
    assert original.database_url.get_secret_value() == COMPLETE["HGRIP_DATABASE_URL"]


def test_a_variable_counts_before_a_secret_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name, value in COMPLETE.items():
        (secrets / name.lower()).write_text(value)
    monkeypatch.setenv("HGRIP_SECRETS_DIR", str(secrets))
    monkeypatch.setenv("HGRIP_TOKEN_ISSUER", "https://other.test")
    loaded = settings.load()
    assert loaded.token_issuer == "https://other.test"
    assert loaded.jwks == COMPLETE["HGRIP_JWKS"]


def test_the_database_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    loaded = settings.load()
    assert "secret-word" not in f"{loaded!r} {loaded} {loaded.model_dump_json()}"


def test_each_missing_or_wrong_variable_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HGRIP_DATABASE_URL", "sqlite:///secret-word")
    monkeypatch.setenv("HGRIP_LOG_FORMAT", "secret-word")
    with pytest.raises(settings.SettingsError) as raised:
        settings.load()
    for name in (*COMPLETE, "HGRIP_LOG_FORMAT"):
        assert name in str(raised.value)
    assert "secret-word" not in str(raised.value)


SENDING = {
    "HGRIP_SMS_CARRIER": "tencent",
    "HGRIP_SMS_KEY_ID": "id",
    "HGRIP_SMS_KEY_SECRET": "secret-word",
    "HGRIP_SMS_SIGNATURE": "人遗备份",
    "HGRIP_SMS_CLAIM_CODE_TEMPLATE": "1",
    "HGRIP_SMS_STEP_UP_CODE_TEMPLATE": "2",
    "HGRIP_SMS_APP_ID": "1400006666",
}


def load_with(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> settings.Settings:
    for name, value in (COMPLETE | values).items():
        monkeypatch.setenv(name, value)
    return settings.load()


def test_the_inbox_is_refused_in_production_and_that_is_where_we_are_unless_said_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(settings.SettingsError, match="HGRIP_SMS_CARRIER"):
        load_with(monkeypatch, {"HGRIP_DEPLOYMENT": "production"})
    monkeypatch.delenv("HGRIP_DEPLOYMENT")
    with pytest.raises(settings.SettingsError, match="HGRIP_DEPLOYMENT=development"):
        settings.load()
    assert load_with(monkeypatch, SENDING | {"HGRIP_DEPLOYMENT": "production"}).sms_carrier == "tencent"


@pytest.mark.parametrize("missing", [name for name in SENDING if name != "HGRIP_SMS_CARRIER"])
def test_what_a_carrier_needs_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    with pytest.raises(settings.SettingsError) as raised:
        load_with(monkeypatch, SENDING | {missing: ""})
    assert missing in str(raised.value)
    assert "secret-word" not in str(raised.value)


def test_aliyun_needs_no_application_id(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load_with(monkeypatch, SENDING | {"HGRIP_SMS_CARRIER": "aliyun", "HGRIP_SMS_APP_ID": ""})
    assert "secret-word" not in f"{loaded!r} {loaded.model_dump_json()}"
    assert loaded.environment()["HGRIP_SMS_KEY_SECRET"] == "secret-word"
