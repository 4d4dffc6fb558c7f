"""Two names in one module or class differ by more than a leading underscore: each says what only it does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORD = re.compile(r"\w+")
FOLDERS = ("bench", "services", "shared", "simpul", "tests", "tools")


def name_pairs(source: str) -> Iterator[str]:
    """Every public name beside which the same module or class defines the same name with an underscore."""
    words = set(WORD.findall(source))
    if not any(f"_{word}" in words for word in words if not word.startswith("_")):
        return  # few modules have both words at all, and reading the others as Python takes long
    module = ast.parse(source)
    yield from _pairs("", _defined(module.body))
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef):
            yield from _pairs(f"{node.name}.", {*_defined(node.body), *_attributes(node)})


def _pairs(prefix: str, names: Iterable[str]) -> Iterator[str]:
    defined = set(names)
    yield from (f"{prefix}{name}" for name in sorted(defined) if not name.startswith("_") and f"_{name}" in defined)


def _defined(body: Iterable[ast.stmt]) -> Iterator[str]:
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Assign(targets=targets):
                nodes = (node for target in targets for node in ast.walk(target))
                yield from (node.id for node in nodes if isinstance(node, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name


def _attributes(node: ast.ClassDef) -> Iterator[str]:
    """Yield what methods store in `self`."""
    for inner in ast.walk(node):
        match inner:
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                yield name


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_two_names_differ_only_by_an_underscore(folder: str):
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in name_pairs(path.read_text(encoding="utf-8"))
    }
    assert sorted(found) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def read(): ...\ndef _read(): ...", ["read"]),
        ("class Store:\n    def put(self): ...\n    async def _put(self): ...", ["Store.put"]),
        ("class Log:\n    def __init__(self): self._size = 0\n    def size(self): ...", ["Log.size"]),
        ("LIMIT = 1\n_LIMIT, REST = 2, 3", ["LIMIT"]),
        ("def read(): ...\nclass File:\n    def _read(self): ...", []),
        ("def __read(): ...\ndef read_all(): ...", []),
    ],
)
def test_a_pair_is_found(source: str, found: list[str]):
    assert list(name_pairs(source)) == found
