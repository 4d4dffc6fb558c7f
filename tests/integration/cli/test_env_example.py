"""`.env.example` lists every setting, and uncommented it is a valid `.env`."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.settings import Settings, load_settings
from simpul.generate.env_example import OUTPUT_PATH, render_env_example


def test_the_committed_example_follows_the_settings():
    assert OUTPUT_PATH.read_text(encoding="utf-8") == render_env_example(), "Run 'make docs'."


def test_the_uncommented_example_contains_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SIMPUL_{name.upper()}", raising=False)
    (tmp_path / ".env").write_text(render_env_example().replace("#SIMPUL_", "SIMPUL_"))
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert all(
        getattr(settings, name) == field.get_default(call_default_factory=True)
        for name, field in Settings.model_fields.items()
    )
