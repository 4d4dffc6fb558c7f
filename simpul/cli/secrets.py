"""`simpul secrets`: the file with the passwords and addresses for docker-compose.yml."""

from __future__ import annotations

import os
from pathlib import Path
from secrets import token_hex, token_urlsafe
from typing import Annotated
from urllib.parse import urlsplit

import typer

from shared.identity.passwords import generate_password
from simpul.cli.console import console, print_line
from simpul.cli.errors import Failed

TEMPLATE = """\
# Created by `simpul secrets` for docker-compose.yml. Readable by its owner only, and in no backup: keep a copy in a safe place.
# The engines store their passwords when their volumes are created; a later change here does not change them there.

# The public address; links in emails begin with it.
SIMPUL_BASE_URL={url}

# The site of the gateway, and where it is published. A host name enables TLS with a certificate of a public authority, unless
# GATEWAY_TLS is set: `tls internal`, or `tls /certificates/site.pem /certificates/site.key` (deploy/certificates/).
GATEWAY_SITE={site}
GATEWAY_TLS=
GATEWAY_ADDRESS={address}
GATEWAY_HTTP_PORT={http}
GATEWAY_HTTPS_PORT={https}

# Emails go to Mailpit, which shows them at http://127.0.0.1:8025 and delivers nothing. To send emails, empty COMPOSE_PROFILES and
# set a mail server: smtp://user:password@host:587?tls=starttls
COMPOSE_PROFILES=mailpit
SIMPUL_SMTP=smtp://mailpit:1025?tls=none
SIMPUL_MAIL_FROM=Layanan Integrasi Sistem <simpul@{host}>
# The contact of the office for applicants. Replies to emails go to SIMPUL_REPLY_TO, otherwise to SIMPUL_OFFICE_EMAIL.
SIMPUL_REPLY_TO=
SIMPUL_OFFICE_PHONE=
SIMPUL_OFFICE_EMAIL=
SIMPUL_OFFICE_ADDRESS=

# Random secrets.
SIMPUL_SECRET={secret}
MONGO_PASSWORD={mongo}
MONGO_KEY={key}
MINIO_PASSWORD={minio}
# For Prometheus (deploy/prometheus/prometheus.yml).
SIMPUL_METRICS_TOKEN={metrics}
"""


def secrets(
    file: Annotated[Path, typer.Argument(help="The file to create; `-` prints it.", allow_dash=True)] = Path(
        "production.env"
    ),
    url: Annotated[str, typer.Option(help="The public address; https:// enables TLS.")] = ("http://127.0.0.1:8080"),
    address: Annotated[
        str, typer.Option(help="The address that the gateway is published on: 0.0.0.0 for all networks.")
    ] = "127.0.0.1",
) -> None:
    """Create the settings file of docker-compose.yml with random passwords; an existing file is never overwritten."""
    text = compose_settings(url, address)
    if str(file) == "-":
        print_line(text.rstrip())
        return
    try:
        with open(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as created:
            created.write(text)
    except FileExistsError as error:
        raise Failed(
            f"{file} is there already, perhaps with the passwords of volumes in use; it stays as it is."
        ) from error
    except OSError as error:
        raise Failed(f"{file} cannot be written: {error.strerror}.") from error
    console.print(f"Written: {file}. Keep a copy in a safe place.", soft_wrap=True)


def compose_settings(url: str, address: str) -> str:
    """The text of the settings file. Raises Failed for an invalid URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or parts.scheme not in ("http", "https") or parts.path.strip("/"):
        raise Failed("--url must look like https://simpul.example, with nothing after the host.")
    tls = parts.scheme == "https"
    return TEMPLATE.format(
        url=url.rstrip("/"),
        site=host if tls else ":80",
        address=address,
        http=80 if tls else port or 80,
        https=(port or 443) if tls else 8443,
        host=host if "." in host and not host.replace(".", "").isdigit() else "simpul.example",
        secret=token_urlsafe(48),
        mongo=generate_password(),
        key=token_hex(64),
        minio=generate_password(),
        metrics=token_urlsafe(32),
    )
