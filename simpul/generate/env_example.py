"""Generate `.env.example`: every setting with its meaning and default, commented out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from shared.settings import Settings

OUTPUT_PATH = Path(__file__).parents[2] / ".env.example"
HEADER = """\
# Settings of Simpul. Copy this file to .env, make it readable by its owner only (chmod 600 .env), and uncomment the lines that
# you change.
# Generated from shared/settings.py by `make docs`.
"""


def render_env_example() -> str:
    """The text of the file."""
    return "\n".join([HEADER, *_lines()])


def _lines() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        yield f"# {field.description}"
        yield f"#SIMPUL_{name.upper()}={_default(field)}"
        yield ""


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is None or isinstance(value, SecretStr):
        return ""
    return f'"{value}"' if " " in str(value) else str(value)


def main() -> None:
    OUTPUT_PATH.write_text(render_env_example(), encoding="utf-8")
    print(f"written: {OUTPUT_PATH.name}")


if __name__ == "__main__":
    main()
