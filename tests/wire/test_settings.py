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
