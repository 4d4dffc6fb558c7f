"""The import contracts hold, and no service is left out of them."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def contracts() -> dict[str, dict[str, list[str]]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    return {contract["id"]: contract for contract in settings["contracts"]}


def services() -> set[str]:
    """Every package that has the rooms of a service; `services.cli` has none of them."""
    return {f"services.{room.parent.name}" for room in (ROOT / "services").glob("*/domain.py")}


def test_every_import_contract_holds():
    tool = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([tool, "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_service_is_left_out_of_the_contracts():
    assert services() <= set(contracts()["independent"]["modules"])
    assert services() <= set(contracts()["rooms"]["containers"])
