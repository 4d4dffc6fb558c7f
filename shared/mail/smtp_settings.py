"""The mail server of the setting SIMPUL_SMTP, parsed and validated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

TlsMode = Literal["starttls", "implicit", "none"]

PORTS: dict[TlsMode, int] = {"starttls": 587, "implicit": 465, "none": 25}
URL_FORMAT = "smtp://user:password@host:587?tls=starttls"


class InvalidSmtpUrl(ValueError):
    """The setting cannot be parsed. The message never repeats the setting, which may contain a password."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A mail server and how to connect to it."""

    host: str
    port: int
    tls: TlsMode
    verify: bool = True
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class SmtpLimits:
    """Timeouts in seconds, and the number of connections.

    An email waits up to `wait` for a connection. A connection that was idle for `stale` is checked before it is reused, and
    closed after `idle`.
    """

    wait: float = 60.0
    connect: float = 10.0
    command: float = 30.0
    data: float = 60.0
    stale: float = 10.0
    idle: float = 60.0
    connections: int = 4


def parse_smtp_url(url: str, password: str | None = None) -> SmtpServer:
    """Parse `smtp://` or `smtps://` with `?tls=starttls|implicit|none` and `&verify=no`.

    User and password may be percent-encoded; `password` takes precedence over one in the URL; without `tls=` an `smtp://`
    server must support STARTTLS. Raises InvalidSmtpUrl.
    """
    parts, port = _split(url)
    options = _options(parts.query)
    tls = _tls(parts.scheme, options)
    if parts.hostname is None or parts.path not in ("", "/") or parts.fragment:
        raise InvalidSmtpUrl(f"it must look like {URL_FORMAT}, with / ? # @ in a password percent-encoded")
    user = unquote(parts.username or "")
    secret = password if password is not None else unquote(parts.password or "")
    if bool(user) != bool(secret):
        raise InvalidSmtpUrl("a user needs a password, and a password a user")
    return SmtpServer(parts.hostname, port or PORTS[tls], tls, options.get("verify") != "no", user, secret)


def _split(url: str) -> tuple[SplitResult, int | None]:
    # The message of the library would repeat a part of the URL, which may be the password.
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidSmtpUrl(f"it must look like {URL_FORMAT}, with / ? # @ in a password percent-encoded") from None
    if parts.scheme not in ("smtp", "smtps"):
        raise InvalidSmtpUrl("it must start with smtp:// or smtps://")
    return parts, port


def _options(query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    if set(options) - {"tls", "verify"}:
        raise InvalidSmtpUrl("only tls= and verify= may follow the question mark")
    if options.get("verify", "yes") not in ("yes", "no"):
        raise InvalidSmtpUrl("verify= is yes or no")
    return options


def _tls(scheme: str, options: dict[str, str]) -> TlsMode:
    match scheme, options.get("tls"):
        case "smtps", None | "implicit":
            return "implicit"
        case "smtp", None | "starttls":
            return "starttls"
        case "smtp", "implicit":
            return "implicit"
        case "smtp", "none":
            return "none"
    raise InvalidSmtpUrl("tls= is starttls, implicit or none, and smtps:// is always implicit")
