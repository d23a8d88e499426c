"""Django's settings, made from the `PALIER_*` environment. Reading them writes nothing and asks no database."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.utils.functional import SimpleLazyObject
from psycopg.conninfo import conninfo_to_dict

from palier.site import database
from palier.site.environment import environment, secret

_environment = environment()

DEBUG = _environment.debug
# Made and kept at the first signature, not at import: linters and `palier --help` must leave no trace.
SECRET_KEY: Any = SimpleLazyObject(lambda: secret("key"))
ALLOWED_HOSTS = [host.strip() for host in _environment.allowed_hosts.split(",") if host.strip()]

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "palier.staff",
    "palier.programs",
    "palier.members",
    "palier.ledger",
    "palier.activities",
    "palier.vouchers",
    "palier.rewards",
    "palier.payouts",
    "palier.privacy",
    "palier.tills",
    "palier.care",
    "palier.insights",
    "palier.web",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "palier.site.middleware.headers",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "palier.site.middleware.ReadableForms",
    "palier.web.errors.forms_alone",
]

ROOT_URLCONF = "palier.site.urls"
APPEND_SLASH = False
CSRF_FAILURE_VIEW = "palier.web.errors.form_over"


def _database() -> dict[str, Any]:
    """The run-time connection in Django's words; one per thread, kept open, checked before use."""
    parts = conninfo_to_dict(database.dsn("app"))
    deadline_ms = _environment.web_deadline_s * 1000
    options = {
        key: value
        for key, value in parts.items()
        if key not in ("dbname", "user", "password", "host", "port")
    }
    # A statement must not outlive the request that waits for it.
    options["options"] = f"{options.get('options', '')} -c statement_timeout={deadline_ms}".strip()
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.get("dbname", ""),
        "USER": parts.get("user", ""),
        "PASSWORD": parts.get("password", ""),
        "HOST": parts.get("host", ""),
        "PORT": parts.get("port", ""),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("fr", "Français")]

STATIC_URL = "static/"
# Pages come with the packages: nothing is collected, the files are found at the start.
STATIC_ROOT = None
WHITENOISE_USE_FINDERS = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 15},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

SESSION_COOKIE_AGE = 30 * 24 * 3600
SESSION_SAVE_EVERY_REQUEST = False
# The words of the design system for what a page says once.
MESSAGE_TAGS = {20: "", 25: "good", 30: "warn", 40: "bad"}
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
# Each area of the pages has its own catalogue.
LOCALE_PATHS = sorted((Path(__file__).parent.parent / "web").rglob("locale"))


def _mail() -> dict[str, Any]:
    """The mail server in Django's words, from `PALIER_EMAIL_URL`."""
    if _environment.email_url is None:
        return {"EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend"}
    parts = urlsplit(_environment.email_url)
    secure = parts.scheme == "smtps"
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname or "localhost",
        "EMAIL_PORT": parts.port or (465 if secure else 587),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": secure,
        "EMAIL_USE_TLS": not secure and parts.hostname not in ("localhost", "127.0.0.1"),
        "EMAIL_TIMEOUT": 5,
    }


globals().update(_mail())
DEFAULT_FROM_EMAIL = _environment.email_from

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = _environment.https
SECURE_HSTS_SECONDS = 31_536_000 if _environment.https else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _environment.https else None
if _environment.https:
    SESSION_COOKIE_NAME = "__Host-session"
    CSRF_COOKIE_NAME = "__Host-csrf"

# Bodies are limited by the server in front; the same figure here for uploads through forms.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "filters": {"one_line": {"()": "palier.site.middleware.OneLine"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["one_line"]},
    },
    "root": {"handlers": ["stderr"], "level": _environment.log_level.upper()},
    "loggers": {
        "django": {"level": "INFO", "handlers": [], "propagate": True},
        # It would write down which passkey came in.
        "fido2": {"level": "WARNING", "handlers": [], "propagate": True},
    },
}
