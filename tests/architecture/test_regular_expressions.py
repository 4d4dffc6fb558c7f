"""Every regular expression of the product takes linear time."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import REPOSITORY
from tests.support.regex_ambiguity import ambiguity

ROOT = REPOSITORY
TAKES_PATTERN = ("compile", "match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer")
SEARCHES = ("search", "sub", "subn", "split", "findall", "finditer")
PROGRAMS = ("simpul/__main__.py",)


@dataclass(frozen=True)
class Found:
    """A pattern and its location; `searched` if it may match anywhere in a text."""

    place: str
    pattern: str | bytes
    flags: int
    searched: bool


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """Return the calls of functions of `re`, with the function names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            module = node.func.value
            if isinstance(module, ast.Name) and module.id == "re" and node.func.attr in TAKES_PATTERN:
                yield node, node.func.attr


def searched_names(tree: ast.AST) -> set[str]:
    """Return the names of patterns that are searched anywhere in a text, also in a loop over several."""
    return {
        node.func.value.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in SEARCHES
        and isinstance(node.func.value, ast.Name)
    }


def names_of(tree: ast.AST) -> dict[ast.Call, str]:
    """Return the variable to which the pattern of a call is assigned."""
    return {
        node.value: node.targets[0].id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.targets[0], ast.Name)
    }


def flags_of(call: ast.Call, name: str, scope: dict[str, Any]) -> int:
    given = [keyword.value for keyword in call.keywords if keyword.arg == "flags"]
    place = {"compile": 1, "match": 2, "search": 2, "fullmatch": 2, "findall": 2, "finditer": 2}.get(name, 99)
    given += call.args[place : place + 1]
    return int(evaluated(given[0], scope)) if given else 0


def evaluated(node: ast.expr, scope: dict[str, Any]) -> Any:
    """Evaluate a constant that may refer to other constants of the module."""
    return eval(compile(ast.Expression(node), "<pattern>", "eval"), dict(scope))


def patterns_of(path: Path) -> Iterator[Found]:
    tree = ast.parse(path.read_text())
    scope = vars(importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts)))
    names, searched = names_of(tree), searched_names(tree)
    for call, function in calls(tree):
        kept = names.get(call, "")
        anywhere = function in SEARCHES or kept in searched or (function == "compile" and not kept)
        pattern = evaluated(call.args[0], scope)
        flags = flags_of(call, function, scope)
        yield Found(f"{path.relative_to(ROOT)}:{call.lineno}", pattern, flags, anywhere)


def all_patterns() -> list[Found]:
    paths = sorted(path for folder in ("services", "shared", "simpul") for path in (ROOT / folder).rglob("*.py"))
    with_patterns = [
        path for path in paths if "\nimport re\n" in path.read_text() and str(path.relative_to(ROOT)) not in PROGRAMS
    ]
    return [found for path in with_patterns for found in patterns_of(path)]


def test_every_pattern_is_read_in_one_pass():
    patterns = all_patterns()
    places = {found.place.partition(":")[0] for found in patterns}
    assert {
        "shared/observability/logging.py",
        "shared/mail/address_validation.py",
        "shared/documents/ingestion.py",
    } <= places
    ambiguities = {found: ambiguity(found.pattern, found.flags, searched=found.searched) for found in patterns}
    assert {found: kind for found, kind in ambiguities.items() if kind} == {}


MARKUP = rb"\s*(?:<\?xml[^>]*\?>\s*|<!--.*?-->\s*)*<(!doctype\s+)?([a-z]+)"


@pytest.mark.parametrize(
    ("pattern", "flags", "expected"),
    [
        (MARKUP, re.IGNORECASE | re.DOTALL, "exponential"),
        (r"(a+)+b", 0, "exponential"),
        (r"(a*)*b", 0, "exponential"),
        (r"(?:a|ab|b)*c", 0, "exponential"),
        (r"(?:\w+\s?)*!", 0, "exponential"),
        (r"(?:a?b?)*c", 0, "exponential"),
        (r"(?:a{1,50}){1,50}b", 0, "exponential"),
        (r"(?:[a-z]+@?)+\.", re.IGNORECASE, "exponential"),
        (r"\d+\d+x", 0, "polynomial"),
        (r"\s*\s*x", 0, "polynomial"),
        (r"a*b?a*c", 0, "polynomial"),
    ],
)
def test_nested_and_overlapping_repetition_is_found(pattern: str | bytes, flags: int, expected: str):
    assert ambiguity(pattern, flags) == expected


@pytest.mark.parametrize("pattern", [r"[^\s@]+@x", r"\s+$", r"\d*x"])
def test_a_search_that_reads_on_to_the_end_from_everywhere_is_found(pattern: str):
    assert ambiguity(pattern) == ""
    assert ambiguity(pattern, searched=True) == "polynomial"


@pytest.mark.parametrize(
    "pattern",
    [
        r"[a-z][a-z0-9]*(?:[.-][a-z0-9]+)*",
        r"[A-Z]{2}\d{4,12}",
        r"\+?[0-9](?:[ -]?[0-9]){7,}",
        r"(?<!\d)\d(?:[ .-]?\d){17}(?!\d)",
        r"\d+",
        r'"[^"\\]*"',
        r"(?>a*)a*b",
    ],
)
def test_separated_repetition_is_allowed(pattern: str):
    assert (
        ambiguity(pattern, searched=not pattern.startswith("[") and "\\+" not in pattern and ">" not in pattern) == ""
    )
