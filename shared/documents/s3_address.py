"""Parses the setting SIMPUL_MINIO, the URL of the bucket for documents."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

URL_FORMAT = "http://key:secret@host:9000/bucket"
BUCKET_PATTERN = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
DEFAULT_REGION = "us-east-1"


class InvalidS3Url(ValueError):
    """The URL is invalid; the message never repeats it, because it contains a secret."""


@dataclass(frozen=True, slots=True)
class S3Address:
    """A bucket of an S3 server: `endpoint` is host and port, `secure` means https."""

    endpoint: str
    bucket: str
    key: str
    secret: str = field(repr=False)
    secure: bool = False
    region: str = DEFAULT_REGION


def parse_s3_url(url: str, secret: str | None = None) -> S3Address:
    """Parse a URL like `http://key:secret@host:9000/bucket?region=...`.

    Key and secret may be percent-encoded; the argument `secret` takes precedence over the one in the URL.
    Raises: InvalidS3Url.
    """
    parts, port = _split(url)
    bucket = parts.path.strip("/")
    if not BUCKET_PATTERN.fullmatch(bucket):
        raise InvalidS3Url("the path must be a bucket: 3 to 63 lower-case letters, digits and hyphens")
    key = unquote(parts.username or "")
    password = secret if secret is not None else unquote(parts.password or "")
    if not key or not password:
        raise InvalidS3Url("it needs a key and a secret")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    endpoint = f"{host}:{port}" if port else f"{host}"
    return S3Address(endpoint, bucket, key, password, parts.scheme == "https", _region(parts.query))


def _split(url: str) -> tuple[SplitResult, int | None]:
    # The message of urllib would repeat a part of the URL, which may be the secret.
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidS3Url(f"it must look like {URL_FORMAT}, with / ? # @ in a secret percent-encoded") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment:
        raise InvalidS3Url(f"it must look like {URL_FORMAT}, with / ? # @ in a secret percent-encoded")
    return parts, port


def _region(query: str) -> str:
    options = dict(parse_qsl(query, keep_blank_values=True))
    if set(options) - {"region"}:
        raise InvalidS3Url("only region= may follow the question mark")
    return options.get("region") or DEFAULT_REGION
