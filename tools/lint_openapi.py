"""Lint the OpenAPI document with Spectral's `spectral:oas` rules: `python tools/lint_openapi.py`."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from shared.backends.platform import open_platform
from shared.settings import Settings
from simpul.app import create_application

SPECTRAL = "@stoplight/spectral-cli@6.16.3"
RULESET = 'extends: ["spectral:oas"]\n'


async def openapi_document(data: Path) -> str:
    platform = open_platform(Settings(data=data))
    await platform.prepare()
    try:
        return json.dumps(create_application(platform).openapi())
    finally:
        await platform.close()


def main() -> int:
    npx = shutil.which("npx")
    if npx is None:
        print("The OpenAPI document is not linted, because Node.js (npx) is missing.")
        return 0
    spectral = [npx, "--yes", "--package", SPECTRAL, "spectral"]
    if subprocess.run([*spectral, "--version"], capture_output=True, check=False).returncode:
        print(f"The OpenAPI document is not linted, because {SPECTRAL} cannot be fetched.")
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "openapi.json").write_text(asyncio.run(openapi_document(folder / "data")))
        (folder / "ruleset.yaml").write_text(RULESET)
        command = [*spectral, "lint", "--ruleset", "ruleset.yaml"]
        return subprocess.run([*command, "--fail-severity", "warn", "openapi.json"], cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
