"""What the words of a search look for, the same in every store."""

from __future__ import annotations

MAX_CANDIDATES = 3_000
"""Words that fewer records contain are looked up in the index of words; for commoner ones a list is read in its order."""


def search_terms(search: str) -> list[str]:
    """Return the texts that must all occur in a record's text, which has a space before and after it.

    A word of three or more characters may occur anywhere, one of two at the beginning of a word, a single one as a word.
    Indexes hold nothing shorter than three characters.
    """
    terms = {1: " {} ", 2: " {}"}
    return [terms.get(len(word), "{}").format(word) for word in dict.fromkeys(search.split())]
