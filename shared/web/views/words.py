"""Texts of pages, from `templates/words.toml` of each package, so that a translation needs no change of templates."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from markupsafe import Markup, escape

FILE = "words.toml"


class Words:
    """A table of texts: `words.form.title` and `words["form"]["title"]` are the same; a missing text raises KeyError."""

    def __init__(self, entries: Mapping[str, Any], source: str) -> None:
        self._entries, self._source = entries, source

    def __getitem__(self, name: str) -> Any:
        try:
            found = self._entries[name]
        except KeyError:
            raise KeyError(f"{self._source} has no {name!r}") from None
        return Words(found, f"{self._source}: {name}") if isinstance(found, Mapping) else found

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def get(self, name: str, default: str = "") -> Any:
        """Return a text by a name from outside, `default` if there is none."""
        known = name in self._entries
        return self[name] if known else default

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)


@functools.cache
def load_words(package: str) -> Words:
    """Load the texts of a package, once. Raises: FileNotFoundError, tomllib.TOMLDecodeError."""
    text = files(package).joinpath("templates", FILE).read_text("utf-8")
    return Words(tomllib.loads(text), f"{package}/{FILE}")


def fill(sentence: str, **values: object) -> Markup:
    """Fill the {placeholders} of a text; every value except Markup is escaped."""
    return escape(sentence).format(**values)


def bold(value: object) -> Markup:
    """Mark up a value as bold."""
    return Markup("<b>{}</b>").format(value)
