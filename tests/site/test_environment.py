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


HOSTS = "it takes names such as shop.example, separated by commas, without scheme, port or path"
MAIL = "it takes smtp://USER:PASSWORD@HOST:587 or smtps://, the password percent-encoded"
SMS = "it takes https://USER:PASSWORD@HOST/PATH, the password percent-encoded"
SENDER = "it takes one address, such as Palier <points@shop.example>"
NETWORKS = "it takes networks such as 10.1.0.0/16, separated by commas, with zeros behind their length"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("WEB_THREADS", "many", "it takes a whole number"),
        ("WEB_THREADS", "0", "it takes 1 or more"),
        ("WEB_PROCESSES", "65", "it takes 64 or less"),
        ("DATABASE_NAME", "Robert'); drop", "it takes small letters, digits and _, and begins with a letter"),
        ("LOG_LEVEL", "loud", "it takes 'debug', 'info', 'warning', 'error'"),
        ("HTTPS", "2", "it takes true or false"),
        ("DATA_DIR", "~nobody-of-that-name/palier", "it begins with the home of a user who is not there"),
        ("PHONE_COUNTRY", "France", "it takes an ISO 3166 code of two capitals, such as FR"),
        ("CLOCK_OFFSET_S", "soon", "it takes a whole number"),
        ("CLOCK_OFFSET_S", "99999999999999", "it takes 3162240000 or less"),
        ("ALLOWED_HOSTS", "http://shop.example/", HOSTS),
        ("ALLOWED_HOSTS", "shop.example:8000", HOSTS),
        ("ALLOWED_HOSTS", "localhost,shop.example/fr", HOSTS),
        ("ALLOWED_HOSTS", " , ", HOSTS),
        ("EMAIL_URL", "mail.example", MAIL),
        ("EMAIL_URL", "smtp://user@mail.example:none", MAIL),
        ("EMAIL_URL", "smtp://user:secret@mail.example:99999", MAIL),
        ("EMAIL_URL", "smtp://user:sec/ret@mail.example", MAIL),
        ("EMAIL_URL", "smtp://[::1", MAIL),
        ("SMS_URL", "gateway.example", SMS),
        ("SMS_URL", "https://gateway.example:none/", SMS),
        ("EMAIL_FROM", "the shop", SENDER),
        ("EMAIL_FROM", "points@shop.example, other@shop.example", SENDER),
        ("PRIVATE_NETWORKS", "everything", NETWORKS),
        ("PRIVATE_NETWORKS", "10.1.0.5/16", NETWORKS),
    ],
)
def test_a_bad_variable_is_named_with_what_it_takes(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"PALIER_{variable}", value)
    with pytest.raises(Refused) as refusal:
        environment.__wrapped__()
    assert str(refusal.value) == f"PALIER_{variable} is not usable: {said}. Correct or unset it."
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ALLOWED_HOSTS", "*"),
        ("ALLOWED_HOSTS", ".shop.example, 10.0.0.7,[::1],xn--caf-dma.example"),
        ("EMAIL_URL", "smtp://us%40er:p%2Fw@mail.example:2525"),
        ("EMAIL_URL", "smtps://[::1]"),
        ("SMS_URL", "http://127.0.0.1:8099/send?to=all"),
        ("EMAIL_FROM", "Café de la Place <points@shop.example>"),
        ("PRIVATE_NETWORKS", "10.1.0.0/16, 192.168.7.4,fd00::/8"),
    ],
)
def test_what_a_variable_takes_is_taken(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(f"PALIER_{variable}", value)
    assert getattr(environment.__wrapped__(), variable.lower()) == value


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
