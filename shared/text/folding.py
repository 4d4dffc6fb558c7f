"""Folds text for comparison: case, accents and kinds of apostrophe make no difference."""

from __future__ import annotations

import unicodedata

from shared.text.cleaning import DASHES, QUOTES

_BASE_LETTERS = {
    "\u0111": "d",
    "\u00f0": "d",
    "\u0142": "l",
    "\u00f8": "o",
    "\u0131": "i",
    "\u0127": "h",
    "\u00e6": "ae",
    "\u0153": "oe",
    "\u00fe": "th",
}
"""Letters without a Unicode decomposition, as people type them."""
_TRANSLATION = str.maketrans({**dict.fromkeys(DASHES, "-"), **dict.fromkeys(QUOTES, ""), **_BASE_LETTERS})
_IGNORED_CATEGORIES = frozenset({"Mn", "Me", "Cf", "Cc", "Cs"})


def fold_text(text: str) -> str:
    """Return the text in lower case without accents, quotes and invisible marks, with plain hyphens and single spaces.

    Apostrophes are removed rather than replaced, because Jum'at is also written Jumat.
    """
    plain = text.translate(_TRANSLATION)  # before decomposing, which turns an acute accent into a space
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", plain).casefold())
        plain = "".join(
            mark for mark in decomposed if mark.isspace() or unicodedata.category(mark) not in _IGNORED_CATEGORIES
        )
    return " ".join(plain.lower().translate(_TRANSLATION).replace("\0", "").split())
