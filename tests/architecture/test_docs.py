"""Generated diagrams follow the code, and links and paths in the documentation lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simpul.generate.architecture import OUTPUT_PATH, render_architecture

ROOT = Path(__file__).parents[2]
PAGES = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")} - {ROOT / "CHANGELOG.md"})
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([\w-]+))?\)")
CODE_PATH = re.compile(r"`((?:simpul|services|shared|tests|bench|deploy|docs)/[\w/.-]+)`")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub derives them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> list[str]:
    """Links to files or headings, and paths in code spans, that do not exist."""
    text = page.read_text(encoding="utf-8")
    found = []
    for target, anchor in LINK.findall(text):
        file = (page.parent / target).resolve() if target else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            found.append(f"{target}#{anchor}")
    return found + [path for path in CODE_PATH.findall(text) if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_and_path_exists(page: Path):
    assert broken(page) == []


def test_the_diagrams_of_the_architecture_follow_the_code():
    assert OUTPUT_PATH.read_text(encoding="utf-8") == render_architecture(), "Run 'make docs'."


def test_every_decision_has_the_four_sections():
    for record in ROOT.glob("docs/decisions/0*.md"):
        sections = re.findall(r"^## (.+)$", record.read_text(encoding="utf-8"), re.MULTILINE)
        assert sections == ["Status", "Context", "Decision", "Consequences"], record.name


def test_the_readme_stays_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150


def test_a_broken_link_is_found(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text("# Here\n[a](nowhere.md) [b](page.md#elsewhere) [c](page.md#here) `shared/nothing.py`\n")
    assert broken(page) == ["nowhere.md#", "page.md#elsewhere", "shared/nothing.py"]
