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
