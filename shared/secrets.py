"""Passwords and secrets of the settings: read from files, checked for strength, and created at the first start."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from shared.settings import InvalidSettings, Settings

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
"""Words in the default passwords of manuals and examples."""


def read_secret(path: Path, setting: str) -> str:
    """Return the content of a file with one secret. Raises InvalidSettings."""
    try:
        secret = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InvalidSettings(f"{setting}: {path} cannot be read: {reason}") from error
    if not secret:
        raise InvalidSettings(f"{setting}: {path} is empty")
    return secret


def reject_weak_password(password: str, setting: str) -> None:
    """Raise InvalidSettings for a password that is empty, short or a default: `change-me-please`, `minioadmin`."""
    remainder = password.lower()
    for word in COMMON_PASSWORD_WORDS:
        remainder = remainder.replace(word, "")
    min_distinct = 6 if remainder == password.lower() else 8
    if len(password) < MIN_PASSWORD_LENGTH or len(set(remainder)) < min_distinct:
        raise InvalidSettings(
            f"{setting}: its password is empty, a default or too simple; {MIN_PASSWORD_LENGTH} random characters are needed"
        )


def load_secret(settings: Settings) -> bytes:
    """Return the secret of at least 32 bytes; embedded mode creates it at the first start. Raises InvalidSettings."""
    if secret := settings.secret.get_secret_value():
        return _check_secret_strength(secret, "SIMPUL_SECRET")
    path = settings.secret_path
    setting = "the secret" if settings.secret_file is None else "SIMPUL_SECRET_FILE"
    # Checked in this order, because a process that starts at the same time creates the secret before the database.
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
    """Write the secret to a temporary file and link it: if two processes start at once, both read the same secret."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"secret.{secrets.token_hex(8)}")
    with open(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(48))
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(temporary, path)
    temporary.unlink()
