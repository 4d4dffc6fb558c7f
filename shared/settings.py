"""Settings: environment variables and a `.env` file, checked at start; a password may always come from a file."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1024 * 1024
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class BadSettings(Exception):
    """A setting is missing or wrong; the text says which and what would be right."""


class Settings(BaseSettings):
    """Everything that can be set, as SIMPUL_<NAME>. `simpul settings` lists it from here."""

    model_config = SettingsConfigDict(env_prefix="SIMPUL_", env_file=".env", extra="ignore", env_ignore_empty=True)

    mode: Literal["embedded"] = Field("embedded", description="all services in one process with one folder of data")
    data: Path = Field(Path("data"), description="folder of everything that the embedded mode keeps")
    host: str = Field("127.0.0.1", description="address to listen at")
    port: int = Field(8000, ge=1, le=65535, description="port to listen at")
    base_url: str = Field("", description="where people reach the service, used in links; empty: http://HOST:PORT")
    smtp: SecretStr = Field(
        SecretStr(""), description="smtp://user:password@host:587?tls=starttls; empty: files in DATA/mail"
    )
    smtp_password_file: Path | None = Field(None, description="file with the SMTP password, instead of one in SMTP")
    mail_from: str = Field("Layanan Integrasi Sistem <simpul@simpul.example>", description="sender of every e-mail")
    public_rate: int = Field(30, ge=0, description="submissions a minute and address; 0: no limit")
    trusted_proxies: str = Field("", description="addresses whose forwarded-for header counts, separated by commas")
    file_limit: int = Field(25 * MIB, ge=1, description="greatest size of one file in bytes")
    body_limit: int = Field(60 * MIB, ge=1, description="greatest size of one request in bytes")
    secret_file: Path | None = Field(
        None, description="file with the secret that tokens are derived from; empty: DATA/secret"
    )
    metrics_token_file: Path | None = Field(
        None, description="file with the token that may read /metrics; empty: admins only"
    )
    docs: Literal["auto", "open", "closed"] = Field(
        "auto", description="API documentation; auto: open on loopback only"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        if value and (urlsplit(value).scheme not in {"http", "https"} or not urlsplit(value).netloc):
            raise ValueError("must look like https://simpul.example")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.body_limit < self.file_limit:
            raise ValueError("SIMPUL_BODY_LIMIT must not be smaller than SIMPUL_FILE_LIMIT")
        return self

    @property
    def origin(self) -> str:
        """The scheme, host and port that links begin with."""
        return self.base_url or f"http://{self.host}:{self.port}"

    @property
    def tls(self) -> bool:
        return self.origin.startswith("https://")

    @property
    def local(self) -> bool:
        """Reached from this machine alone: accounts may be made at the first start, and the API documentation is open."""
        return self.host in LOOPBACK and urlsplit(self.origin).hostname in LOOPBACK

    @property
    def docs_open(self) -> bool:
        return self.docs == "open" or (self.docs == "auto" and self.local)

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
        lines = [f"SIMPUL_{'_'.join(map(str, e['loc'])).upper() or 'SETTINGS'}: {e['msg']}" for e in error.errors()]
        raise BadSettings("\n".join(lines)) from error


def load_secret(settings: Settings) -> bytes:
    """The secret of 32 bytes or more; embedded mode makes one at the first start. Raises BadSettings."""
    path = settings.secret_path
    if not path.exists():
        if settings.secret_file is not None:
            raise BadSettings(f"SIMPUL_SECRET_FILE: {path} is not there")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
    secret = path.read_text().strip()
    if len(secret) < 32 or len(set(secret)) < 10:
        raise BadSettings(f"the secret in {path} is too short or too simple: at least 32 random characters are needed")
    return secret.encode()
