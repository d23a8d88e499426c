"""Settings of one installation, read from `PALIER_*` environment variables, and its secrets.

This module and `database`, `embedded`, `ids` and `refusal` are the ground that rooms stand on: they import
nothing of the platform but each other.
"""

import hashlib
import hmac
import os
import re
import secrets
from email.utils import getaddresses
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from palier.engine.sentences import Sentence, Value, sentence
from palier.site.refusal import Refused

DATA_LOSS_ACCEPTED = "yes-i-understand"
SHORTEST_SECRET = 50
Network: TypeAlias = IPv4Network | IPv6Network

# A name as browsers send it, which know no scheme, port or path there; .example is it with all below it, * any.
_HOST: Final = re.compile(r"\*|\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]")
_CENTURY_S: Final = 100 * 366 * 86_400


class Environment(BaseSettings):
    """One field per environment variable: `PALIER_DATA_DIR` is `data_dir`, and so on."""

    # A variable that is set to nothing, as files of services have them, is not set: an empty data directory would
    # be the folder one stands in.
    model_config = SettingsConfigDict(env_prefix="PALIER_", env_ignore_empty=True, extra="ignore")

    data_dir: Path | None = Field(default=None, description="Where the database, secrets and logs live.")
    database_url: str | None = Field(
        default=None, description="An external PostgreSQL; without it, the embedded one."
    )
    database_name: str = Field(
        default="palier", pattern=r"^[a-z_][a-z0-9_]{0,62}$", description="Database of the embedded server."
    )
    secret_key: str | None = Field(
        default=None, description="Signs sessions and tokens; made and kept when absent."
    )
    identity_secret: str | None = Field(
        default=None, description="Keys the hashes of identities; made and kept when absent."
    )
    accept_data_loss: str | None = Field(
        default=None, description=f"`{DATA_LOSS_ACCEPTED}` starts on unsafe settings."
    )
    debug: bool = Field(default=False, description="Django's debug pages; never in production.")
    allowed_hosts: str = Field(
        default="localhost,127.0.0.1,[::1]", description="Host names served, separated by commas."
    )
    https: bool = Field(default=False, description="Served behind HTTPS: secure cookies, HSTS.")
    web_processes: int = Field(default=0, ge=0, le=64, description="Web processes; 0 chooses by cores.")
    web_threads: int = Field(default=8, ge=1, le=128, description="Threads that serve pages, per process.")
    web_queue: int = Field(default=128, ge=1, le=10_000, description="Requests that may wait for a thread.")
    api_rate: int = Field(
        default=20_000, ge=1, description="Units a second that one API key may use, per web process."
    )
    web_deadline_s: int = Field(default=10, ge=1, le=600, description="Seconds until a request is given up.")
    email_url: str | None = Field(
        default=None,
        description="The mail server for letters to members: smtp://USER:PASSWORD@HOST:587, or smtps://.",
    )
    email_from: str = Field(default="palier@localhost", description="Who letters to members are from.")
    sms_url: str | None = Field(
        default=None,
        description="The gateway for text messages: https://USER:PASSWORD@HOST/PATH takes a POST of JSON.",
    )
    sms_daily: int = Field(
        default=500, ge=1, description="Text messages a day that one program sends at most."
    )
    phone_country: str | None = Field(
        default=None,
        description="The country (FR) of phone numbers that name none; without it they are kept as written.",
    )
    demo: bool = Field(default=False, description="Demonstration: shows sign-in codes on the page.")
    shared_buffers_mb: int = Field(default=512, ge=16, description="Embedded PostgreSQL's shared_buffers.")
    disk_floor_mb: int = Field(
        default=256, ge=0, description="Free megabytes below which nothing is written; reads go on."
    )
    disk_warn_mb: int = Field(default=2048, ge=0, description="Free megabytes below which /health warns.")
    private_networks: str | None = Field(
        default=None,
        description="Private networks that suppliers may be in, separated by commas; none is called otherwise.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    clock_offset_s: int = Field(
        default=0, ge=-_CENTURY_S, le=_CENTURY_S, description="Moves the clock, for tests and sandboxes."
    )

    @field_validator("data_dir")
    @classmethod
    def _home_of_a_user(cls, folder: Path | None) -> Path | None:
        try:
            return folder and folder.expanduser()
        except RuntimeError:
            raise ValueError(sentence("it begins with the home of a user who is not there")) from None

    @field_validator("allowed_hosts")
    @classmethod
    def _names_alone(cls, hosts: str) -> str:
        names = [name.strip() for name in hosts.split(",") if name.strip()]
        if not names or not all(_HOST.fullmatch(name) for name in names):
            raise ValueError(
                sentence(
                    "it takes names such as shop.example, separated by commas, without scheme, port or path"
                )
            )
        return hosts

    @field_validator("email_url")
    @classmethod
    def _mail_server(cls, address: str | None) -> str | None:
        if address is not None and not _is_address(address, "smtp", "smtps"):
            # The address itself is not repeated: it holds a password.
            raise ValueError(
                sentence("it takes smtp://USER:PASSWORD@HOST:587 or smtps://, the password percent-encoded")
            )
        return address

    @field_validator("sms_url")
    @classmethod
    def _gateway(cls, address: str | None) -> str | None:
        if address is not None and not _is_address(address, "http", "https"):
            raise ValueError(
                sentence("it takes https://USER:PASSWORD@HOST/PATH, the password percent-encoded")
            )
        return address

    @field_validator("email_from")
    @classmethod
    def _one_sender(cls, sender: str) -> str:
        found = getaddresses([sender])
        name, _, host = found[0][1].rpartition("@") if len(found) == 1 else ("", "", "")
        if not (name and host) or not sender.isprintable():
            raise ValueError(sentence("it takes one address, such as Palier <points@shop.example>"))
        return sender

    @field_validator("private_networks")
    @classmethod
    def _private_networks(cls, setting: str | None) -> str | None:
        networks(setting or "")
        return setting

    @field_validator("phone_country")
    @classmethod
    def _country_with_phones(cls, country: str | None) -> str | None:
        if country is not None:
            from phonenumbers import SUPPORTED_REGIONS

            if country not in SUPPORTED_REGIONS:
                raise ValueError(sentence("it takes an ISO 3166 code of two capitals, such as FR"))
        return country

    @property
    def directory(self) -> Path:
        """The data directory, absolute; not created by asking for it."""
        return (self.data_dir or default_data_dir()).absolute()

    @property
    def data_loss_accepted(self) -> bool:
        return self.accept_data_loss == DATA_LOSS_ACCEPTED


def default_data_dir() -> Path:
    """/var/lib/palier for root, else the platform's folder for a user's application data.

    As root PostgreSQL runs as another user, who cannot reach into a home.
    """
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/palier")
    try:
        return Path(platformdirs.user_data_dir("palier", appauthor=False))
    except RuntimeError:
        raise Refused(
            sentence("This user has no home; set PALIER_DATA_DIR to a folder that it may write.")
        ) from None


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The environment as it is now, read once; `environment.cache_clear()` reads it again.

    Refuses a variable that does not fit, naming it.
    """
    try:
        return Environment()
    except ValidationError as error:
        first = error.errors()[0]
        name = "PALIER_" + ".".join(str(part) for part in first["loc"]).upper()
        raise Refused(
            sentence("%(name)s is not usable: %(first)s. Correct or unset it.", name=name, first=_why(first))
        ) from None


def _why(error: Any) -> Value:
    """What a variable takes, by the error of the library, which says it in English alone."""
    limits = error.get("ctx", {})
    match error["type"]:
        case "value_error":
            # A validator's own sentence.
            said: Sentence = limits["error"].args[0]
            return said
        case "greater_than_equal":
            return sentence("it takes %(least)s or more", least=limits["ge"])
        case "less_than_equal":
            return sentence("it takes %(most)s or less", most=limits["le"])
        case "bool_parsing":
            return sentence("it takes true or false")
        case "literal_error":
            return sentence("it takes %(names)s", names=limits["expected"].replace(" or ", ", "))
        case "string_pattern_mismatch":
            return sentence("it takes small letters, digits and _, and begins with a letter")
        case kind if kind.startswith("int_"):
            return sentence("it takes a whole number")
    return str(error["msg"])


def _is_address(address: str, *schemes: str) -> bool:
    try:
        parts = urlsplit(address)
        # The port is looked at when it is asked for.
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0 and " " not in address
    except ValueError:
        return False


def networks(setting: str) -> tuple[Network, ...]:
    """The networks that PALIER_PRIVATE_NETWORKS names, separated by commas. ValueError for what is none."""
    try:
        return tuple(ip_network(part.strip(), strict=True) for part in setting.split(",") if part.strip())
    except ValueError:
        raise ValueError(
            sentence(
                "it takes networks such as 10.1.0.0/16, separated by commas, with zeros behind their length"
            )
        ) from None


def ensure_directory(path: Path, mode: int = 0o700) -> Path:
    """Create `path` (and parents) unless it is there; the last folder gets `mode` when created."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=mode, exist_ok=True)
    except OSError as error:
        raise Refused(
            sentence(
                "The folder %(path)s cannot be created (%(why)s); set PALIER_DATA_DIR to one that can.",
                path=path,
                why=error,
            )
        ) from None
    return path


def secret(purpose: Literal["key", "identity"]) -> str:
    """The secret for `purpose`: from its variable, else from the data directory, made there once (0600).

    `key` signs sessions and may be changed at any time; `identity` keys the stored hashes of identities
    and must never change. Refuses a given secret shorter than 50 characters or too uniform to be random.
    """
    settings = environment()
    given = settings.secret_key if purpose == "key" else settings.identity_secret
    variable = "PALIER_SECRET_KEY" if purpose == "key" else "PALIER_IDENTITY_SECRET"
    if given is not None:
        _refuse_weak(given, variable)
        return given
    return _kept_secret(settings.directory, purpose)


def derived_key(purpose: str, of: Literal["key", "identity"] = "key") -> bytes:
    """32 bytes for one `purpose` alone, derived from a secret, so that no secret has two uses."""
    return hmac.new(secret(of).encode(), purpose.encode(), hashlib.sha256).digest()


def _refuse_weak(value: str, variable: str) -> None:
    if len(value) < SHORTEST_SECRET or len(set(value)) < 10 or value.startswith("django-insecure"):
        raise Refused(
            sentence(
                "%(variable)s is too weak: give at least %(shortest_secret)s random characters, "
                "or unset it to have one made and kept in the data directory.",
                variable=variable,
                shortest_secret=SHORTEST_SECRET,
            )
        )


@lru_cache(maxsize=4)
def _kept_secret(directory: Path, purpose: str) -> str:
    path = directory / "secrets" / purpose
    try:
        value = path.read_text().strip()
    except FileNotFoundError:
        # Mode 711: the folder itself can be passed through by the database's own user, not listed.
        ensure_directory(directory, 0o711)
        ensure_directory(path.parent, 0o700)
        value = _write_once(path, secrets.token_urlsafe(48))
    except OSError as error:
        raise Refused(
            sentence(
                "The secret %(path)s cannot be read (%(why)s); give it to this user.",
                path=path,
                why=error,
            )
        ) from None
    _refuse_weak(value, str(path))
    return value


def _write_once(path: Path, value: str) -> str:
    """Create `path` with `value`, whole or not at all; when another process was first, its value."""
    # Two threads, too, may ask first at the same moment.
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, value.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(draft, path)
    except FileExistsError:
        return path.read_text().strip()
    finally:
        draft.unlink(missing_ok=True)
    return value
