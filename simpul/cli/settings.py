"""`simpul settings`: every setting with its value and meaning."""

from __future__ import annotations

from pydantic import SecretStr

from shared.settings import Settings
from simpul.cli.arguments import AsJson
from simpul.cli.console import console, make_table, print_json
from simpul.cli.context import current_settings


def settings(as_json: AsJson = False) -> None:
    """List every setting with its value and meaning; secrets are not shown."""
    current = current_settings()
    rows = [
        (f"SIMPUL_{name.upper()}", _display_value(current, name), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    if as_json:
        print_json([{"name": name, "value": value, "meaning": meaning} for name, value, meaning in rows])
    else:
        console.print(make_table("setting", "now", "meaning", rows=rows))


def _display_value(settings: Settings, name: str) -> str:
    value = getattr(settings, name)
    if isinstance(value, SecretStr):
        return "(set)" if value.get_secret_value() else ""
    return "" if value is None else str(value)
