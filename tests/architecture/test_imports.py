"""The import contracts hold and cover every service."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

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


def loaded_by(*statements: str) -> list[set[str]]:
    """Return the names of the modules that a process has loaded after each of these statements."""
    program = "import sys; " + "; ".join(f"{statement}; print(*sys.modules)" for statement in statements)
    lines = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True).splitlines()
    return [set(line.split()) for line in lines]


@pytest.fixture(scope="module")
def loaded_by_services() -> list[set[str]]:
    """What a process loads that builds intake, and then when it builds all services."""
    every = ", ".join(f"{name}.app" for name in sorted(services()))
    return loaded_by("import simpul.app, simpul.cli.serve, services.intake.app", f"import {every}")


def test_a_process_loads_no_service_but_those_that_it_builds(loaded_by_services: list[set[str]]):
    assert loaded_by_services[0] & services() == {"services.intake"}


def test_libraries_of_rare_work_are_loaded_when_it_is_done(loaded_by_services: list[set[str]]):
    loaded = loaded_by_services[1]
    assert loaded & {"docx", "fpdf", "PIL", "pypdfium2", "zxcvbn"} == set()


def test_a_command_about_accounts_needs_no_web_framework():
    [loaded] = loaded_by("import simpul.cli.staff")
    assert loaded & {"fastapi", "shared.web"} == set()
