"""The read side of assignment: columns, their indexes, and the queries of lists and counts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from services.assignment.domain.state import State, due, has_open_recommendation
from shared.runtime.request_columns import request_columns
from shared.storage.port import COLUMNS_VERSION, Column, RecordQuery, Scalar
from shared.text.search import normalize_query

INDEXED_COLUMNS = (
    *map(Column, ("number", "submitted_at", "target_date", "due", "search")),
    *(Column(name, ordered_by="submitted_at") for name in ("status", "unit", "scope")),
    Column("lead", ordered_by="target_date"),
    *(Column(name, "integer", ordered_by="submitted_at") for name in ("open", "advised")),
    Column(COLUMNS_VERSION, "integer"),
)
COLUMNS_VERSION_NUMBER = 1
"""Increase when `columns` derives other values; the next start then updates stored records."""

PageKey = tuple[Scalar, str] | None


def columns(state: State) -> Mapping[str, Scalar]:
    """Return the columns of a record; a request whose `due` is before today is overdue."""
    return {
        **request_columns(state, COLUMNS_VERSION_NUMBER),
        "advised": int(has_open_recommendation(state)),
        "lead": state.lead.username if state.lead else None,
        "target_date": _iso_date(state.target_date),
        "due": _iso_date(due(state)),
    }


def _iso_date(day: date | None) -> str | None:
    return day.isoformat() if day else None


def find_requests(
    *,
    status: str | tuple[str, ...] = "",
    lead: str = "",
    scope: str = "",
    overdue_on: date | None = None,
    search: str = "",
    open_only: bool = False,
    advised_only: bool = False,
    newest_first: bool = False,
    after: PageKey = None,
    before: PageKey = None,
    limit: int = 50,
) -> RecordQuery:
    """Return the query of requests by time of submission; `overdue_on` selects those whose target has passed on that day."""
    filters = {"status": status, "lead": lead, "scope": scope, "open": int(open_only), "advised": int(advised_only)}
    return RecordQuery(
        "submitted_at",
        where={name: value for name, value in filters.items() if value},
        below={"due": overdue_on.isoformat()} if overdue_on else {},
        search=normalize_query(search),
        after=after,
        before=before,
        limit=limit,
        descending=newest_first,
    )


def find_work(
    lead: str, *, search: str = "", after: PageKey = None, before: PageKey = None, limit: int = 50
) -> RecordQuery:
    """Return the query of a lead's open work, nearest target first."""
    where: dict[str, Scalar | tuple[Scalar, ...]] = {"lead": lead, "open": 1}
    return RecordQuery(
        "target_date", where=where, search=normalize_query(search), after=after, before=before, limit=limit
    )


def count_open(lead: str) -> RecordQuery:
    return RecordQuery("target_date", where={"lead": lead, "open": 1})


def count_overdue(lead: str, day: date) -> RecordQuery:
    return RecordQuery("target_date", where={"lead": lead, "open": 1}, below={"due": day.isoformat()})
