"""The import contracts hold and cover every service."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from tests.support.paths import REPOSITORY

ROOT = REPOSITORY


def contracts() -> dict[str, dict[str, list[str]]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    return {contract["id"]: contract for contract in settings["contracts"]}


def services() -> set[str]:
    """Every package with a domain."""
    return {f"services.{domain.parent.name}" for domain in (ROOT / "services").glob("*/domain")}


def test_every_import_contract_holds():
    tool = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([tool, "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_service_is_left_out_of_the_contracts():
    assert services() <= set(contracts()["independent"]["modules"])
    assert services() <= set(contracts()["layers"]["containers"])
