"""Settings from environment variables and a `.env` file, validated at the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.mail.port import is_header_text, is_mailbox
from shared.office_arms import read_office_arms
from shared.office_contact import OfficeContact

MIB = 1024 * 1024
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
WILDCARD_HOSTS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - only compared with
COMMAND_VARIABLES = frozenset({"simpul_demo_accounts"})
"""Variables that only one command reads."""
REQUIRED_IN_DISTRIBUTED_MODE = ("kafka", "mongo", "minio", "smtp", "base_url")


class InvalidSettings(Exception):
    """A setting is missing or invalid; the text names it and says what is valid."""


class Settings(BaseSettings):
    """All settings, each set as SIMPUL_<NAME>; `simpul settings` lists them with these descriptions."""

    model_config = SettingsConfigDict(env_prefix="SIMPUL_", env_file=".env", extra="ignore", env_ignore_empty=True)

    mode: Literal["embedded", "distributed"] = Field(
        "embedded", description="embedded: one folder of data; distributed: Kafka, MongoDB and MinIO"
    )
    data: Path = Field(Path("data"), description="folder for all data of the embedded mode")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=1, le=65535, description="port to listen on")
    workers: int = Field(1, ge=1, le=64, description="processes of `simpul up` that share the port; embedded mode only")
    base_url: str = Field("", description="public address of the service, used in links; empty: http://HOST:PORT")
    smtp: SecretStr = Field(
        SecretStr(""), description="smtp://user:password@host:587?tls=starttls; empty: files in DATA/mail"
    )
    smtp_password_file: Path | None = Field(None, description="file with the SMTP password, instead of one in SMTP")
    kafka: str = Field("", description="host:9092, others after commas; distributed mode")
    kafka_topic: str = Field(
        "simpul.requests",
        pattern=r"^[A-Za-z0-9._-]{1,150}$",
        description="topic of the events; like the database and the bucket, for one installation only",
    )
    kafka_copies: int = Field(
        1, ge=1, description="replication factor of the topic when it is created; 3 with three or more brokers"
    )
    kafka_tls: bool = Field(False, description="whether to connect to Kafka over TLS")
    kafka_ca_file: Path | None = Field(
        None, description="file with the CA certificates for Kafka; empty: those that the system trusts"
    )
    kafka_user: str = Field("", description="user for Kafka; empty: no authentication")
    kafka_password: SecretStr = Field(
        SecretStr(""), description="that user's password, instead of one in KAFKA_PASSWORD_FILE"
    )
    kafka_password_file: Path | None = Field(None, description="file with that user's password")
    kafka_sasl: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        "SCRAM-SHA-512", description="SASL mechanism; PLAIN only over TLS"
    )
    mongo: SecretStr = Field(
        SecretStr(""), description="mongodb://user:password@host:27017/simpul?replicaSet=rs0; distributed mode"
    )
    mongo_password_file: Path | None = Field(
        None, description="file with the MongoDB password, instead of one in MONGO"
    )
    minio: SecretStr = Field(SecretStr(""), description="http://key:secret@host:9000/bucket; distributed mode")
    minio_password_file: Path | None = Field(None, description="file with the MinIO secret, instead of one in MINIO")
    mail_from: str = Field("Layanan Integrasi Sistem <simpul@simpul.example>", description="sender of every email")
    reply_to: str = Field("", description="reply-to address of emails; empty: OFFICE_EMAIL, or the sender")
    office_name: str = Field(
        "", description="name of the office on public pages; empty: Dinas Komunikasi dan Informatika"
    )
    office_arms: Path | None = Field(
        None, description="coat of arms on public pages: a PNG of at most 32 KiB and 512 x 512 pixels; empty: none"
    )
    office_phone: str = Field("", description="telephone of the office, in emails and on the tracking page")
    office_email: str = Field("", description="email address of the office, in the same places")
    office_address: str = Field("", description="address of the office, in the same places")
    public_rate: int = Field(
        30, ge=0, description="submissions per minute and address; 0: no limit, also for emails to one recipient"
    )
    upload_budget_per_address: int = Field(
        512 * MIB,
        ge=1,
        description="bytes of files per hour and address that no request references yet, by default at least BODY_LIMIT; "
        "no limit if PUBLIC_RATE is 0",
    )
    upload_budget: int = Field(
        4096 * MIB,
        ge=1,
        description="bytes of files per day of all addresses that no request references yet, "
        "by default at least four times BODY_LIMIT",
    )
    connections_per_address: int = Field(
        200, ge=1, description="concurrent connections and requests of one address; trusted proxies have no limit"
    )
    trusted_proxies: str = Field(
        "", description="addresses whose X-Forwarded-For header is trusted, separated by commas"
    )
    file_limit: int = Field(25 * MIB, ge=1, description="maximum size of one file in bytes")
    body_limit: int = Field(60 * MIB, ge=1, description="maximum size of one request in bytes")
    secret: SecretStr = Field(
        SecretStr(""),
        description="secret that tokens are derived from, instead of SECRET_FILE; distributed mode",
    )
    secret_file: Path | None = Field(
        None, description="file with the secret that tokens are derived from; empty: DATA/secret"
    )
    metrics_token: SecretStr = Field(
        SecretStr(""), description="token that may read /metrics, instead of METRICS_TOKEN_FILE"
    )
    metrics_token_file: Path | None = Field(
        None, description="file with the token that may read /metrics; empty: admins only"
    )
    otlp: str = Field("", description="http://host:4318 of an OTLP collector for traces; empty: no traces")
    docs: Literal["auto", "open", "closed"] = Field(
        "auto", description="API documentation; auto: open on loopback only"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="minimum level that is logged")

    @field_validator("mail_from", "reply_to", "office_name", "office_phone", "office_email", "office_address")
    @classmethod
    def _validate_single_line(cls, value: str) -> str:
        if not is_header_text(value):
            raise ValueError("must be one line without control characters")
        return value.strip()

    @field_validator("office_arms")
    @classmethod
    def _validate_arms(cls, path: Path | None) -> Path | None:
        if path is not None:
            read_office_arms(path)
        return path

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
        if self.distributed and self.workers > 1:
            raise ValueError("SIMPUL_WORKERS is for SIMPUL_MODE=embedded; start more processes of each service instead")
        if self.distributed and (missing := self._missing_settings()):
            raise ValueError(f"SIMPUL_MODE=distributed needs {', '.join(f'SIMPUL_{name.upper()}' for name in missing)}")
        return self

    def _missing_settings(self) -> list[str]:
        """Return the required settings that are not set. Of the two settings for the secret, the file is named."""
        missing = [name for name in REQUIRED_IN_DISTRIBUTED_MODE if not _is_set(getattr(self, name))]
        return missing if _is_set(self.secret) or self.secret_file else [*missing, "secret_file"]

    @property
    def distributed(self) -> bool:
        return self.mode == "distributed"

    @property
    def origin(self) -> str:
        """The scheme, host and port of links."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.base_url or f"http://{host}:{self.port}"

    @property
    def tls(self) -> bool:
        return self.origin.startswith("https://")

    @property
    def local(self) -> bool:
        """Only reachable from this machine, so accounts may be created at the first start and the API documentation is open."""
        return self.host in LOOPBACK_HOSTS and urlsplit(self.origin).hostname in LOOPBACK_HOSTS

    @property
    def docs_open(self) -> bool:
        return self.docs == "open" or (self.docs == "auto" and self.local)

    @property
    def mail_viewer(self) -> bool:
        """Emails are stored as files, which the viewer shows."""
        return not self.distributed and not self.smtp.get_secret_value()

    @property
    def mail_viewer_open(self) -> bool:
        """Anybody on this machine may see the emails, as they may read the files."""
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
    """Return the settings. Raises InvalidSettings with one line per invalid setting."""
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
