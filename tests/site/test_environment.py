"""Settings of an installation and its secrets."""

import os
import stat
from pathlib import Path

import pytest

from palier.site import environment as module
from palier.site.environment import derived_key, environment, secret
from palier.site.refusal import Refused


@pytest.fixture
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(environment(), "data_dir", tmp_path)
    return tmp_path


def test_a_secret_is_made_once_and_private(own_directory: Path) -> None:
    first = secret("key")
    module._kept_secret.cache_clear()
    assert secret("key") == first
    assert secret("identity") != first
    path = own_directory / "secrets" / "key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert set(os.listdir(path.parent)) == {"key", "identity"}


@pytest.mark.parametrize(
    "weak", ["secret", "a" * 80, "django-insecure-" + "x8$kq1!m" * 8, "", "abcabcabc" * 10]
)
def test_a_weak_secret_is_refused(monkeypatch: pytest.MonkeyPatch, weak: str) -> None:
    monkeypatch.setattr(environment(), "secret_key", weak)
    with pytest.raises(Refused, match="PALIER_SECRET_KEY is too weak"):
        secret("key")


def test_derived_keys_differ_by_purpose(own_directory: Path) -> None:
    assert derived_key("cursor") != derived_key("link")
    assert derived_key("cursor") != derived_key("cursor", of="identity")
    assert len(derived_key("cursor")) == 32


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PALIER_WEB_THREADS", "many"),
        ("PALIER_DATABASE_NAME", "Robert'); drop"),
        ("PALIER_LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(Refused, match=f"{variable} is not usable"):
        environment.__wrapped__()


def test_a_variable_set_to_nothing_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """As files of services have them. An empty folder's name would be the folder one stands in."""
    for name in ("DATA_DIR", "DATABASE_URL", "WEB_THREADS", "SECRET_KEY", "IDENTITY_SECRET"):
        monkeypatch.setenv(f"PALIER_{name}", "")
    found = environment.__wrapped__()
    assert found.directory == module.default_data_dir()
    assert found.database_url is None
    assert found.web_threads == 8
    assert found.secret_key is None
    assert found.identity_secret is None


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(*arguments: object, **options: object) -> str:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr(module.os, "geteuid", lambda: 54321)
    monkeypatch.setattr(module.platformdirs, "user_data_dir", homeless)
    with pytest.raises(Refused, match="PALIER_DATA_DIR"):
        module.default_data_dir()
