"""Warnings about settings that are valid but probably a mistake."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator
from pathlib import Path

from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from shared.settings import COMMAND_VARIABLES, WILDCARD_HOSTS, Settings

DOTENV_PATH = Path(".env")
"""The file of settings that do not come from the environment."""


def configuration_warnings(settings: Settings) -> Iterator[str]:
    """Yield a warning for each unknown name, secret that others can read, and link without a public address."""
    for name, place in _unknown_names():
        near = difflib.get_close_matches(name, Settings.model_fields, 1, 0.7)
        hint = f"did you mean SIMPUL_{near[0].upper()}?" if near else "`simpul settings` lists those there are."
        yield f"SIMPUL_{name.upper()} in {place} is no setting; {hint}"
    for path in _secret_files(settings):
        if _is_accessible_to_others(path):
            yield f"{path} holds a secret that others on this machine can reach: chmod 600 {path}"
    if _is_accessible_to_others(DOTENV_PATH):
        yield f"{DOTENV_PATH} is a place for passwords, and others on this machine can reach it: chmod 600 {DOTENV_PATH}"
    if settings.host in WILDCARD_HOSTS and not settings.base_url:
        yield f"SIMPUL_BASE_URL is not set: links in e-mails would begin with {settings.origin}"
    if settings.distributed and not settings.local and not settings.trusted_proxies:
        yield "SIMPUL_TRUSTED_PROXIES is not set: behind a gateway all visitors would share one address and its limits"


def _is_accessible_to_others(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return bool(path.stat().st_mode & 0o077)
    return False


def _secret_files(settings: Settings) -> Iterator[Path]:
    yield settings.secret_path
    files = (name for name in Settings.model_fields if name.endswith(("_password_file", "_token_file")))
    yield from filter(None, (getattr(settings, name) for name in files))


def _unknown_names() -> Iterator[tuple[str, str]]:
    for place, source in (("the environment", EnvSettingsSource), (str(DOTENV_PATH), DotEnvSettingsSource)):
        for name in source(Settings).env_vars:
            bare = name.removeprefix("simpul_")
            if bare != name and bare not in Settings.model_fields and name not in COMMAND_VARIABLES:
                yield bare, place
