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


def loaded_by(statement: str) -> set[str]:
    """Return the names of the modules that a process has loaded after this statement."""
    program = f"import sys; {statement}; print(*sys.modules)"
    return set(subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True).split())


def test_a_process_loads_no_service_but_those_that_it_builds():
    names = {name.removeprefix("services.") for name in services()}
    loaded = loaded_by("import simpul.app, simpul.cli.serve, services.intake.app")
    assert {name for name in names if f"services.{name}" in loaded} == {"intake"}


def test_libraries_of_rare_work_are_loaded_when_it_is_done():
    loaded = loaded_by("import simpul.app; " + "; ".join(f"import {name}.app" for name in sorted(services())))
    assert loaded & {"docx", "fpdf", "PIL", "pypdfium2", "zxcvbn"} == set()


def test_a_command_about_accounts_needs_no_web_framework():
    assert loaded_by("import simpul.cli.staff") & {"fastapi", "shared.web"} == set()
