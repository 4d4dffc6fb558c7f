"""Every test that docs/security.md and docs/faults.md cite exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
DOCS = TESTS.parent / "docs"
REFERENCE = re.compile(r"`([\w/]+\.py)(?:::(\w+))?`")
PAGES = ("security.md", "faults.md")


def references(text: str) -> list[tuple[str, str]]:
    """Return the cited files below tests/, each with the cited function or ""."""
    return [(match[1], match[2] or "") for match in REFERENCE.finditer(text) if "/test_" in match[1]]


def missing(text: str) -> list[str]:
    return [f"{file}::{name}" for file, name in references(text) if not exists(file, name)]


def exists(file: str, name: str) -> bool:
    path = TESTS / file
    if not path.is_file():
        return False
    return (
        not name
        or re.search(rf"^ *(?:async )?def {name}\(", path.read_text(encoding="utf-8"), re.MULTILINE) is not None
    )


@pytest.mark.parametrize("page", PAGES)
def test_every_named_proof_is_a_test(page: str):
    text = (DOCS / page).read_text(encoding="utf-8")
    assert references(text)
    assert missing(text) == []


@pytest.mark.parametrize("page", PAGES)
def test_every_promise_names_a_proof_or_says_that_it_is_not_done(page: str):
    rows = [line for line in (DOCS / page).read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    promises = [row for row in rows if row.count(" | ") == 2 and not row.startswith(("| promise", "| fault", "| ---"))]
    assert promises
    assert [row for row in promises if "test_" not in row and "*not done*" not in row] == []


def test_a_proof_that_does_not_exist_is_found():
    assert missing("`architecture/test_promises.py::test_nothing`, `nowhere/test_none.py`") == [
        "architecture/test_promises.py::test_nothing",
        "nowhere/test_none.py::",
    ]
