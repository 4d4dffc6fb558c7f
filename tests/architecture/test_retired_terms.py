"""Terms that were replaced by the standard ones do not return in identifiers; retired_terms.txt lists them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("retired_terms.txt")
PROGRAM = ("bench", "services", "shared", "simpul", "tools")
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

Terms = dict[str, str]


def read_terms(text: str) -> tuple[Terms, Terms]:
    """The terms for all code, and those for the program only, each with its replacement."""
    everywhere, _, program = text.partition("\n[program]\n")

    def parse(section: str) -> Terms:
        lines = (line for line in section.splitlines() if line and not line.startswith("#"))
        return dict(tuple(part.strip() for part in line.split("->")) for line in lines)  # type: ignore[misc]

    return parse(everywhere), parse(program)


def identifiers(source: str) -> Iterator[tuple[str, int]]:
    """Every name that the source defines: functions, classes, parameters, variables, attributes and aliases."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node.lineno
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node.lineno
            case ast.alias(asname=str(name)):
                yield name, node.lineno


def retired(name: str, terms: Terms) -> list[str]:
    """The retired terms in an identifier, with their replacements; the name of a test is a sentence and may contain any word."""
    if name.startswith("test_"):
        return []
    words = "_".join(word.lower() for word in WORD.findall(name))
    return [
        f"{term} -> {replacement}"
        for term, replacement in terms.items()
        if (name.strip("_") == term[1:] if term.startswith("=") else f"_{term}_" in f"_{words}_")
    ]


EVERYWHERE, PROGRAM_ONLY = read_terms(LIST.read_text(encoding="utf-8"))


@pytest.mark.parametrize("folder", [*PROGRAM, "tests"])
def test_no_identifier_contains_a_retired_term(folder: str):
    terms = EVERYWHERE | (PROGRAM_ONLY if folder in PROGRAM else {})
    is_retired = cache(lambda word: bool(retired(word, terms)))
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if any(map(is_retired, {path.stem, *re.findall(r"\w+", source)})):  # else it need not be read as Python
            names = [(path.stem, 1), *identifiers(source)]
            found += [
                f"{path.relative_to(ROOT)}:{line}: {name} ({term})"
                for name, line in names
                for term in retired(name, terms)
            ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def obey(): ...", ["obey -> handle, execute"]),
        ("class HeartsOfServices: ...", ["hearts -> deciders"]),
        ("self._pass_over_all = 1", ["pass_over -> commit_offset"]),
        ("class Desk: ...", ["=Desk -> <Service>Service"]),
        ("class DeskLamp: ...", []),
        ("def hearty(obeyable): ...", []),
    ],
)
def test_a_retired_term_is_found(source: str, found: list[str]):
    assert [term for name, _ in identifiers(source) for term in retired(name, EVERYWHERE)] == found
