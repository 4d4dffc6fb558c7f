"""Settings: environment variables and a `.env` file, checked at start; a password may always come from a file."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.mail.port import is_header_text, is_mailbox
from shared.office_contact import OfficeContact

MIB = 1024 * 1024
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
WILDCARD_HOSTS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not listened at
COMMAND_VARIABLES = frozenset({"simpul_demo_accounts"})
"""Variables that belong to one command alone."""
REQUIRED_IN_DISTRIBUTED_MODE = ("kafka", "mongo", "minio", "smtp", "base_url")
MIN_PASSWORD_LENGTH = 12
COMMON_PASSWORD_WORDS = (
    "admin",
    "change",
    "default",
    "example",
    "ganti",
    "guest",
    "minio",
    "password",
    "rahasia",
    "secret",
    "simpul",
)
"""Words that passwords of manuals and examples are made of."""


class InvalidSettings(Exception):
    """A setting is missing or wrong; the text says which and what would be right."""


class Settings(BaseSettings):
    """Everything that can be set, as SIMPUL_<NAME>. `simpul settings` lists it from here."""

    model_config = SettingsConfigDict(env_prefix="SIMPUL_", env_file=".env", extra="ignore", env_ignore_empty=True)

    mode: Literal["embedded", "distributed"] = Field(
        "embedded", description="embedded: one folder of data; distributed: Kafka, MongoDB and MinIO"
    )
    data: Path = Field(Path("data"), description="folder of everything that the embedded mode keeps")
    host: str = Field("127.0.0.1", description="address to listen at")
    port: int = Field(8000, ge=1, le=65535, description="port to listen at")
    base_url: str = Field("", description="where people reach the service, used in links; empty: http://HOST:PORT")
    smtp: SecretStr = Field(
        SecretStr(""), description="smtp://user:password@host:587?tls=starttls; empty: files in DATA/mail"
    )
    smtp_password_file: Path | None = Field(None, description="file with the SMTP password, instead of one in SMTP")
    kafka: str = Field("", description="host:9092, others after commas; distributed mode")
    kafka_topic: str = Field(
        "simpul.requests",
        pattern=r"^[A-Za-z0-9._-]{1,150}$",
        description="topic of the events; as the database and the bucket, of one installation alone",
    )
    kafka_copies: int = Field(
        1, ge=1, description="brokers that keep each event, when the topic is made; 3 where there are three or more"
    )
    kafka_tls: bool = Field(False, description="whether Kafka is spoken to over TLS")
    kafka_ca_file: Path | None = Field(
        None, description="file with the certificates that vouch for Kafka's; empty: those that the system trusts"
    )
    kafka_user: str = Field("", description="user that Kafka knows; empty: it asks for none")
    kafka_password: SecretStr = Field(
        SecretStr(""), description="that user's password, instead of one in KAFKA_PASSWORD_FILE"
    )
    kafka_password_file: Path | None = Field(None, description="file with that user's password")
    kafka_sasl: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        "SCRAM-SHA-512", description="SASL mechanism by which the user is known; PLAIN over TLS alone"
    )
    mongo: SecretStr = Field(
        SecretStr(""), description="mongodb://user:password@host:27017/simpul?replicaSet=rs0; distributed mode"
    )
    mongo_password_file: Path | None = Field(
        None, description="file with the MongoDB password, instead of one in MONGO"
    )
    minio: SecretStr = Field(SecretStr(""), description="http://key:secret@host:9000/bucket; distributed mode")
    minio_password_file: Path | None = Field(None, description="file with the MinIO secret, instead of one in MINIO")
    mail_from: str = Field("Layanan Integrasi Sistem <simpul@simpul.example>", description="sender of every e-mail")
    reply_to: str = Field("", description="address that answers to e-mails go to; empty: OFFICE_EMAIL, or the sender")
    office_phone: str = Field("", description="telephone of the office, in e-mails and on the tracking page")
    office_email: str = Field("", description="e-mail address of the office, in the same places")
    office_address: str = Field("", description="where the office is, in the same places")
    public_rate: int = Field(
        30, ge=0, description="submissions a minute and address; 0: no limit, and none of e-mails to one recipient"
    )
    upload_budget_per_address: int = Field(
        512 * MIB,
        ge=1,
        description="bytes of files an hour and address that no request names yet, by default at least BODY_LIMIT; "
        "none if PUBLIC_RATE is 0",
    )
    upload_budget: int = Field(
        4096 * MIB,
        ge=1,
        description="bytes of files of all addresses in a day that no request names yet, "
        "by default at least four times BODY_LIMIT",
    )
    connections_per_address: int = Field(
        200, ge=1, description="connections and requests of one address at a time; trusted proxies have no such limit"
    )
    trusted_proxies: str = Field("", description="addresses whose forwarded-for header counts, separated by commas")
    file_limit: int = Field(25 * MIB, ge=1, description="greatest size of one file in bytes")
    body_limit: int = Field(60 * MIB, ge=1, description="greatest size of one request in bytes")
    secret: SecretStr = Field(
        SecretStr(""),
        description="the secret that tokens are derived from, instead of one in SECRET_FILE; distributed mode",
    )
    secret_file: Path | None = Field(
        None, description="file with the secret that tokens are derived from; empty: DATA/secret"
    )
    metrics_token: SecretStr = Field(
        SecretStr(""), description="the token that may read /metrics, instead of one in METRICS_TOKEN_FILE"
    )
    metrics_token_file: Path | None = Field(
        None, description="file with the token that may read /metrics; empty: admins only"
    )
    otlp: str = Field("", description="http://host:4318 that takes traces by OTLP; empty: none are made")
    docs: Literal["auto", "open", "closed"] = Field(
        "auto", description="API documentation; auto: open on loopback only"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")

    @field_validator("mail_from", "reply_to", "office_phone", "office_email", "office_address")
    @classmethod
    def _validate_single_line(cls, value: str) -> str:
        if not is_header_text(value):
            raise ValueError("must be one line without control characters")
        return value.strip()

    @field_validator("reply_to", "office_email")
    @classmethod
    def _validate_mailbox(cls, value: str) -> str:
        if value and not is_mailbox(value):
            raise ValueError("must look like kantor@simpul.example")
        return value

    @field_validator("base_url", "otlp")
    @classmethod
    def _validate_url(cls, value: str) -> str:
        if value and (urlsplit(value).scheme not in {"http", "https"} or not urlsplit(value).netloc):
            raise ValueError("must look like https://simpul.example")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _validate_combinations(self) -> Self:
        if self.body_limit < self.file_limit:
            raise ValueError("SIMPUL_BODY_LIMIT must not be smaller than SIMPUL_FILE_LIMIT")
        if "upload_budget_per_address" not in self.model_fields_set:
            self.upload_budget_per_address = max(self.upload_budget_per_address, self.body_limit)
        if "upload_budget" not in self.model_fields_set:
            self.upload_budget = max(self.upload_budget, 4 * self.body_limit)
        if self.public_rate and min(self.upload_budget_per_address, self.upload_budget // 4) < self.body_limit:
            raise ValueError(
                "SIMPUL_UPLOAD_BUDGET_PER_ADDRESS, and a quarter of SIMPUL_UPLOAD_BUDGET, "
                "must not be smaller than SIMPUL_BODY_LIMIT"
            )
        if _is_set(self.secret) and (self.secret_file or not self.distributed):
            raise ValueError("SIMPUL_SECRET is for SIMPUL_MODE=distributed without SIMPUL_SECRET_FILE alone")
        if self.distributed and (missing := self._missing_settings()):
            raise ValueError(f"SIMPUL_MODE=distributed needs {', '.join(f'SIMPUL_{name.upper()}' for name in missing)}")
        return self

    def _missing_settings(self) -> list[str]:
        """What the distributed mode cannot do without. Of the two places for the secret, the file is the one to name."""
        missing = [name for name in REQUIRED_IN_DISTRIBUTED_MODE if not _is_set(getattr(self, name))]
        return missing if _is_set(self.secret) or self.secret_file else [*missing, "secret_file"]

    @property
    def distributed(self) -> bool:
        return self.mode == "distributed"

    @property
    def origin(self) -> str:
        """The scheme, host and port that links begin with."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.base_url or f"http://{host}:{self.port}"

    @property
    def tls(self) -> bool:
        return self.origin.startswith("https://")

    @property
    def local(self) -> bool:
        """Reached from this machine alone: accounts may be made at the first start, and the API documentation is open."""
        return self.host in LOOPBACK_HOSTS and urlsplit(self.origin).hostname in LOOPBACK_HOSTS

    @property
    def docs_open(self) -> bool:
        return self.docs == "open" or (self.docs == "auto" and self.local)

    @property
    def mail_viewer(self) -> bool:
        """E-mails are kept as files, so there is something to look at."""
        return not self.distributed and not self.smtp.get_secret_value()

    @property
    def mail_viewer_open(self) -> bool:
        """Whoever is at this machine may read them, as they may read the files."""
        return self.mail_viewer and self.local

    @property
    def office(self) -> OfficeContact:
        return OfficeContact(self.office_phone, self.office_email, self.office_address)

    @property
    def database(self) -> Path:
        return self.data / "simpul.db"

    @property
    def documents(self) -> Path:
        return self.data / "documents"

    @property
    def mail(self) -> Path:
        return self.data / "mail"

    @property
    def secret_path(self) -> Path:
        return self.secret_file or self.data / "secret"


def load_settings(**overrides: Any) -> Settings:
    """The settings in force. Raises BadSettings with a sentence for each that is wrong."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise InvalidSettings("\n".join(map(_format_error, error.errors()))) from error
    except UnicodeDecodeError as error:
        raise InvalidSettings(f".env cannot be read: {error}") from error


def _format_error(error: Any) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"SIMPUL_{'_'.join(map(str, error['loc'])).upper()}: {message}" if error["loc"] else message


def _is_set(value: Any) -> bool:
    return bool(value.get_secret_value() if isinstance(value, SecretStr) else value)


def read_secret(path: Path, setting: str) -> str:
    """What a file of one secret holds. Raises BadSettings."""
    try:
        secret = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InvalidSettings(f"{setting}: {path} cannot be read: {reason}") from error
    if not secret:
        raise InvalidSettings(f"{setting}: {path} is empty")
    return secret


def reject_weak_password(password: str, setting: str) -> None:
    """Raises BadSettings for a password that is empty, short, or like those of manuals: `change-me-please`, `minioadmin`."""
    remainder = password.lower()
    for word in COMMON_PASSWORD_WORDS:
        remainder = remainder.replace(word, "")
    min_distinct = 6 if remainder == password.lower() else 8
    if len(password) < MIN_PASSWORD_LENGTH or len(set(remainder)) < min_distinct:
        raise InvalidSettings(
            f"{setting}: its password is empty, a default or too simple; {MIN_PASSWORD_LENGTH} random characters are needed"
        )


def load_secret(settings: Settings) -> bytes:
    """The secret of 32 bytes or more; embedded mode makes one at the first start, distributed needs one. Raises BadSettings."""
    if secret := settings.secret.get_secret_value():
        return _check_secret_strength(secret, "SIMPUL_SECRET")
    path = settings.secret_path
    setting = "the secret" if settings.secret_file is None else "SIMPUL_SECRET_FILE"
    # In this order: of a process that starts at this moment the secret is there before the database.
    has_data = not settings.distributed and settings.database.exists()
    if settings.secret_file is None and not path.exists():
        if has_data:
            raise InvalidSettings(
                f"{path} is missing. Every tracking link was made with it: put it back from a backup."
            )
        _create_secret(path)
    return _check_secret_strength(read_secret(path, setting), f"{setting} in {path}")


def _check_secret_strength(secret: str, which: str) -> bytes:
    if len(secret) < 32 or len(set(secret)) < 10:
        raise InvalidSettings(f"{which} is too short or too simple: at least 32 random characters are needed")
    return secret.encode()


def _create_secret(path: Path) -> None:
    """Write it under another name first: of two processes that start at once, one makes it and both read the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"secret.{secrets.token_hex(8)}")
    with open(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(48))
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(temporary, path)
    temporary.unlink()
