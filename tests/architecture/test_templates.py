"""Pages use one set of components, and their texts are in one file per template folder."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

ROOT = REPOSITORY
LETTERS = ROOT / "services/notification/templates"
"""Emails have no components and no style sheet; their texts are in indonesian.toml."""
TEMPLATES = [
    path
    for folder in ("services", "shared", "simpul")
    for path in sorted((ROOT / folder).rglob("templates/*.html"))
    if path not in {LETTERS / "email_base.html", LETTERS / "email.html"}
]
COMPONENTS = ROOT / "shared/web/views/templates/components.html"
PARTS = {
    COMPONENTS.with_name(name)
    for name in ("viewer.html", "team.html", "phrase_menu.html", "request_list.html", "checklist_rows.html")
}
"""The components of the document viewer, of lists, of what staff share about a request, and of what the office words."""
WORDS = [
    path
    for folder in ("services", "shared", "simpul")
    for path in sorted((ROOT / folder).rglob("templates/words.toml"))
]

CODE = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
TAG = re.compile(r'<[^<>]*>|\b[a-z-]+="[^"]*"')
HEARD = re.compile(r'\b(?:aria-label|title|alt|placeholder|content)="([^"]*[^\W\d_][^"]*)"')
CONTROL = re.compile(r"<(?:button|input|select|textarea|form)\b|class=\"btn|\bclass=\"st ")
UNSAFE = re.compile(r"\son[a-z]+=|\sstyle=|<style|javascript:|\|\s*safe\b|<script(?![^>]+nonce)")
ELSEWHERE = re.compile(r"(?:src|action)=\"(?:https?:)?//|<link[^>]+https?:")
NAMES = frozenset({"openapi.json", "px"})
"""Texts that are the same in every language."""
VIEWPORT = 'content="width=device-width, initial-scale=1"'


def shown(template: str) -> list[str]:
    """Return the visible and spoken texts of a template without code and tags."""
    markup = CODE.sub("\0", template)
    heard = [text.replace("\0", "") for text in HEARD.findall(markup)]
    rest = re.split(r"[\0\s]+", TAG.sub(" ", markup))
    return [word for word in [*rest, *heard] if re.search(r"[^\W\d_]", word) and word not in NAMES]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_has_no_words_of_its_own(path: Path):
    assert shown(path.read_text("utf-8").replace(VIEWPORT, "")) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_runs_nothing_inline_and_loads_nothing_from_elsewhere(path: Path):
    text = path.read_text("utf-8")
    assert UNSAFE.findall(CODE.sub("", text) if path == COMPONENTS else text) == []
    assert ELSEWHERE.findall(text) == []


@pytest.mark.parametrize(
    "path",
    [path for path in TEMPLATES if path not in {COMPONENTS, *PARTS}],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_no_page_writes_its_own_controls(path: Path):
    assert CONTROL.findall(path.read_text("utf-8")) == []


def leaves(table: dict[str, object], place: str = "") -> list[str]:
    found: list[str] = []
    for name, value in table.items():
        here = f"{place}.{name}" if place else name
        found += leaves(value, here) if isinstance(value, dict) else [here]
    return found


@pytest.mark.parametrize("path", WORDS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_word_is_used(path: Path):
    """A table that is read by key counts as used where its name occurs."""
    room = path.parents[1]
    files = [*room.rglob("*.py"), *room.rglob("*.html"), *(ROOT / "shared/web").rglob("*.html")]
    words = {word for file in files for word in re.findall(r"[\w-]+", file.read_text("utf-8"))}
    unused = [leaf for leaf in leaves(tomllib.loads(path.read_text("utf-8"))) if words.isdisjoint(leaf.split(".")[-2:])]
    assert unused == []


@pytest.mark.parametrize(
    "template", ["<p>Halo</p>", '<a aria-label="Utama {{ x }}"></a>', "{{ a }} dan {{ b }}", "<b>\u00e9t\u00e9</b>"]
)
def test_words_are_found(template: str):
    assert shown(template) != []


@pytest.mark.parametrize(
    "template", ['<a href="/x" class="row">{{ a }}, {# Halo #}{% if b %}: 12{% endif %}</a>', "<br>-"]
)
def test_code_is_no_word(template: str):
    assert shown(template) == []


@pytest.mark.parametrize(
    ("pattern", "template"),
    [
        (CONTROL, "<button>"),
        (CONTROL, '<a class="btn sec">'),
        (CONTROL, '<form method="post">'),
        (UNSAFE, '<a onclick="x()">'),
        (UNSAFE, '<p style="color:red">'),
        (UNSAFE, "<script>"),
        (UNSAFE, "{{ x | safe }}"),
        (ELSEWHERE, '<img src="https://x.example/a.png">'),
    ],
)
def test_the_patterns_find_what_they_look_for(pattern: re.Pattern[str], template: str):
    assert pattern.search(template)
