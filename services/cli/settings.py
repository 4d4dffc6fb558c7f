"""`simpul settings`: every setting there is, what it is now, and what it means."""

from __future__ import annotations

from pydantic import SecretStr

from services.cli.session import AsJson, console, print_json, settings_in_force, table_of
from shared.settings import Settings


def settings(as_json: AsJson = False) -> None:
    """List every setting with its value and meaning; secrets are not shown."""
    now = settings_in_force()
    rows = [
        (f"SIMPUL_{name.upper()}", _shown(now, name), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    if as_json:
        print_json([{"name": name, "value": value, "meaning": meaning} for name, value, meaning in rows])
    else:
        console.print(table_of("setting", "now", "meaning", rows=rows))


def _shown(settings: Settings, name: str) -> str:
    value = getattr(settings, name)
    if isinstance(value, SecretStr):
        return "(set)" if value.get_secret_value() else ""
    return "" if value is None else str(value)
