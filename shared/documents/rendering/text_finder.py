"""Finds words in the text of a PDF. Runs only in the sandbox, because it reads hostile bytes."""

from __future__ import annotations

import json
from bisect import bisect_right
from itertools import accumulate

import pypdfium2

from shared.documents.rendering.rasterizer import boxes_of
from shared.documents.sandbox.protocol import SUCCEEDED, TOO_LARGE, UNRENDERABLE
from shared.text.folding import fold_text

MAX_PAGES, MAX_MATCHES, MAX_PAGE_CHARACTERS = 2_000, 100, 200_000
"""Pages that are read, pages with a match that are reported, and characters of a page that are read."""
WORDS_BEFORE, WORDS_IN_EXCERPT, MAX_EXCERPT_CHARACTERS = 4, 14, 120
SOFT_LINE_END = "\ufffe"
"""PDFium marks a hyphen at the end of a line with it."""


def find_text_job(content: bytes, words: str) -> tuple[int, bytes]:
    """Return an exit status and, if it is 0, the pages with these folded words, as JSON."""
    try:
        return SUCCEEDED, json.dumps(find_text(content, words)).encode()
    except MemoryError:
        return TOO_LARGE, b""
    except Exception:  # a parser may raise anything for hostile bytes
        return UNRENDERABLE, b""


def find_text(content: bytes, words: str) -> dict[str, object]:
    """Return the matches, whether the document has any text, and whether all of it was read.

    A match has the number of the page as it is shown, the count of the words on it, and an excerpt around the first.
    """
    document = pypdfium2.PdfDocument(content)
    read = min(len(document), MAX_PAGES)
    matches: list[tuple[int, int, str]] = []
    has_text, shown_pages = False, 0
    for index in range(read):
        text = _page_text(document, index)
        has_text = has_text or bool(text.strip())
        if count := fold_text(text).count(words):
            matches.append((shown_pages + 1, count, excerpt(text, words)))
            if len(matches) == MAX_MATCHES:
                read = index + 1
                break
        shown_pages += len(boxes_of(document, index))
    return {"matches": matches, "has_text": has_text, "is_complete": read == len(document)}


def _page_text(document: pypdfium2.PdfDocument, index: int) -> str:
    """Return the text of a page, "" if it is damaged."""
    try:
        text_page = document[index].get_textpage()
        text: str = text_page.get_text_range(0, min(text_page.count_chars(), MAX_PAGE_CHARACTERS))
    except (RuntimeError, ValueError):
        return ""
    return text.replace(SOFT_LINE_END + "\r\n", "").replace(SOFT_LINE_END, "")


def excerpt(text: str, words: str) -> str:
    """Return some words of the text from before the first match on."""
    tokens = [(token, folded) for token in text.split() if (folded := fold_text(token))]
    begin = " ".join(folded for _, folded in tokens).find(words)
    ends = list(accumulate(len(folded) + 1 for _, folded in tokens))
    first = max(0, bisect_right(ends, begin) - WORDS_BEFORE)
    return " ".join(token for token, _ in tokens[first : first + WORDS_IN_EXCERPT])[:MAX_EXCERPT_CHARACTERS]
