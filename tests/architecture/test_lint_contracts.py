"""Each lint, type and import rule is violated once in a copy of the tree, and its tool must report it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

pytestmark = pytest.mark.slow

ROOT = REPOSITORY
BIN = Path(sys.executable).parent


def run(tool: str, *arguments: str, at: Path) -> tuple[bool, str]:
    """Return whether the tool passed, and its output."""
    done = subprocess.run([BIN / tool, *arguments], cwd=at, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("tree")
    for package in ("services", "shared", "simpul"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "tests").mkdir()
    shutil.copy(ROOT / "pyproject.toml", copy)
    shutil.copy(ROOT / "tests" / "ruff.toml", copy / "tests")
    return copy


@contextmanager
def planted(tree: Path, path: str, line: str) -> Iterator[Path]:
    """Append a line to the file, and restore or remove the file afterwards."""
    file = tree / path
    before = file.read_text() if file.exists() else None
    file.write_text(f"{before or ''}\n{line}\n")
    try:
        yield file
    finally:
        file.unlink() if before is None else file.write_text(before)


IMPORTS = [
    ("independent", "services/intake/planted.py", "import services.assignment"),
    ("independent", "services/notification/domain/decisions.py", "import services.verification"),
    ("layers", "services/intake/domain/decisions.py", "import services.intake.presenters"),
    ("layers", "services/verification/presenters.py", "import services.verification.api"),
    ("layers", "services/assignment/pages/__init__.py", "import services.assignment.api"),
    ("layers", "services/notification/api.py", "import services.notification.app"),
    ("one-way", "services/intake/planted.py", "import simpul.registry"),
    ("one-way", "services/intake/planted.py", "import simpul.cli"),
    ("domain-layers", "services/intake/domain/form.py", "import services.intake.domain.decisions"),
    ("one-way", "shared/planted.py", "import services.intake"),
    ("pure", "services/intake/domain/decisions.py", "import asyncio"),
    ("pure", "services/assignment/domain/decisions.py", "from pathlib import Path"),
    ("pure", "services/verification/domain/decisions.py", "import shared.storage.sqlite.database"),
    ("pure", "shared/contracts/planted.py", "import fastapi"),
    ("pure", "shared/calendar.py", "import time as clock"),
    ("web-last", "shared/identity/passwords.py", "import shared.web.auth.access"),
    ("motor", "shared/identity/mongo.py", "import motor.motor_asyncio"),
    ("no-test-tools", "shared/planted.py", "from unittest import mock"),
]


@pytest.mark.parametrize(("contract", "path", "line"), IMPORTS)
def test_a_planted_import_breaks_its_contract(tree: Path, contract: str, path: str, line: str):
    imported = line.split()[1]
    room = tree / f"{imported.replace('.', '/')}.py"
    made = not room.exists() and imported.startswith("services.") and imported.count(".") == 2
    if made:
        room.touch()
    try:
        with planted(tree, path, line):
            content, said = run("lint-imports", "--no-logo", "--no-cache", "--contract", contract, at=tree)
    finally:
        if made:
            room.unlink()
    assert not content
    assert re.search(r"1 broken", said), said
    assert path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") in said


LINT = [
    ("TID251", "shared/planted.py", "from datetime import UTC, datetime\n\nnow = datetime.now(UTC)"),
    ("TID251", "shared/planted.py", "from datetime import datetime\n\nnow = datetime.utcnow()"),
    ("TID251", "shared/planted.py", "from datetime import date\n\nday = date.today()"),
    ("TID251", "services/intake/planted.py", "import uuid\n\nid = uuid.uuid4()"),
    ("TID251", "services/intake/planted.py", "from time import time\n\nnow = time()"),
    ("TID251", "shared/planted.py", "from unittest import mock\n\nmock.Mock()"),
    ("TID251", "tests/planted.py", "from unittest import mock\n\nmock.Mock()"),
    ("TID251", "tests/planted.py", "from unittest.mock import Mock\n\nMock()"),
    ("TID252", "services/intake/planted.py", "from .domain import decide\n\ndecide()"),
    ("DTZ001", "shared/planted.py", "from datetime import datetime\n\nday = datetime(2026, 7, 10)"),
    ("ASYNC", "shared/planted.py", "import time\n\n\nasync def wait() -> None:\n    time.sleep(1)"),
    ("S110", "shared/planted.py", "try:\n    print()\nexcept Exception:\n    pass"),
    ("T201", "shared/planted.py", 'print("looked here")'),
    ("S608", "shared/planted.py", 'name = "x"\nquery = f"SELECT * FROM state WHERE name = \'{name}\'"'),
    ("ERA001", "shared/planted.py", "# print(state.version)"),
    ("B006", "shared/planted.py", "def add(items: list[int] = []) -> None:\n    items.append(1)"),
    ("F401", "shared/planted.py", "import json"),
    ("I001", "shared/planted.py", "import json\nimport ast\n\njson, ast"),
    ("E501", "shared/planted.py", f'text = "{"x" * 140}"'),
    (
        "C901",
        "shared/planted.py",
        "def f(n: int) -> None:\n" + "".join(f"    if n == {n}:\n        n = 0\n" for n in range(11)),
    ),
]


@pytest.mark.parametrize(("rule", "path", "line"), LINT)
def test_a_planted_fault_is_seen_by_the_linter(tree: Path, rule: str, path: str, line: str):
    with planted(tree, path, line):
        content, said = run("ruff", "check", "--no-cache", "--output-format", "concise", path, at=tree)
    assert not content
    assert rule in said


@pytest.mark.parametrize("path", ["simpul/__main__.py", "shared/settings.py", "shared/clock.py", "tests/planted.py"])
def test_only_the_places_that_wire_may_read_the_clock_and_make_ids(tree: Path, path: str):
    line = "import uuid\nfrom datetime import UTC, datetime\n\nmade = (uuid.uuid4(), datetime.now(UTC))"
    with planted(tree, path, line):
        _, said = run("ruff", "check", "--no-cache", "--select", "TID251", "--output-format", "concise", path, at=tree)
    assert "TID251" not in said


def test_a_file_out_of_format_is_seen(tree: Path):
    with planted(tree, "shared/planted.py", "x = { 'a':1 }"):
        content, said = run("ruff", "format", "--check", "--no-cache", "shared/planted.py", at=tree)
    assert not content
    assert "planted" in said


TYPES = {
    "no-untyped-def": "def untyped(value):\n    return value",
    "return-value": "def wrong() -> int:\n    return 'x'",
    "type-arg": "def bare(values: list) -> None: ...",
    "unreachable": "def never(value: int) -> None:\n    if isinstance(value, str):\n        value.lower()",
    "call-arg": "class Row(BaseModel):\n    name: str\n\n\nRow(name='x', unknown=1)",
    "arg-type": "class Line(BaseModel):\n    count: int\n\n\nLine(count='1')",
    "ignore-without-code": "size: int = 'x'  # type: ignore",
}


@pytest.fixture(scope="module")
def types_said(tree: Path) -> str:
    source = "\n\n".join(["from pydantic import BaseModel", *TYPES.values()])
    with planted(tree, "shared/planted.py", source):
        content, said = run("mypy", "shared/planted.py", at=tree)
    assert not content
    return said


@pytest.mark.parametrize("code", TYPES)
def test_a_planted_fault_is_seen_by_the_type_checker(types_said: str, code: str):
    assert f"[{code}]" in types_said
