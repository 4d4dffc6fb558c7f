"""Folds text for searching: case, accents and kinds of apostrophe make no difference."""

from __future__ import annotations

import unicodedata

from shared.contracts.facts import Applicant, Letter, Staff
from shared.text.cleaning import DASHES, QUOTES

MAX_TEXT_LENGTH = 10_000
"""Characters of a request that are searched."""
MAX_QUERY_LENGTH = 200
MAX_WORDS = 20

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


def build_search_text(*texts: str) -> str:
    """Return the stored text that searches run on. What people look for most comes first, because the text is cut off."""
    return " ".join(filter(None, map(fold_text, texts)))[:MAX_TEXT_LENGTH]


def request_search_text(
    number: str,
    applicant: Applicant | None,
    letter: Letter | None = None,
    description: str = "",
    lead: Staff | None = None,
) -> str:
    """Return what is searched of a request: number, name, unit, email, letter number, lead and description."""
    of_applicant = (applicant.name, applicant.unit, applicant.email) if applicant else ()
    of_lead = (lead.name, lead.username) if lead else ()
    return build_search_text(number, *of_applicant, letter.number if letter else "", *of_lead, description)


def normalize_query(query: str) -> str:
    """Fold a query for comparison with `build_search_text`; one that folds to nothing is kept, and so finds nothing."""
    words = dict.fromkeys(fold_text(query[:MAX_QUERY_LENGTH]).split())
    return " ".join(list(words)[:MAX_WORDS]) or query.strip()
