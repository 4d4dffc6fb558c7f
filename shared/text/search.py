"""What searches of requests run on, folded."""

from __future__ import annotations

from shared.contracts.facts import Applicant, Letter, Staff
from shared.text.folding import fold_text

MAX_TEXT_LENGTH = 10_000
"""Characters of a request that are searched."""
MAX_QUERY_LENGTH = 200
MAX_WORDS = 20


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
