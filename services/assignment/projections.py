"""The read side of assignment: columns, their indexes, and the queries of lists and counts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from services.assignment.domain.decisions import Rules
from services.assignment.domain.state import State, has_open_recommendation
from shared.contracts.stages import Stage, responsible_for, stage_clock
from shared.runtime.request_columns import request_columns
from shared.storage.port import COLUMNS_VERSION, Column, RecordQuery, Scalar, sortable_time
from shared.text.search import normalize_query

INDEXED_COLUMNS = (
    *map(Column, ("number", "submitted_at", "target_date", "due", "search", "active_at", "surveyed_at", "stage_since")),
    *(Column(name, ordered_by="submitted_at") for name in ("status", "unit", "scope")),
    Column("lead", ordered_by="target_date"),
    *(Column(name, ordered_by="due") for name in ("stage", "responsible")),
    *(Column(name, "integer", ordered_by="submitted_at") for name in ("open", "advised")),
    Column(COLUMNS_VERSION, "integer"),
)
COLUMNS_VERSION_NUMBER = 3
"""Increase when `columns` derives other values; the next start then updates stored records."""

PageKey = tuple[Scalar, str] | None


def columns(state: State, rules: Rules) -> Mapping[str, Scalar]:
    """Return the columns of a record."""
    clock = stage_clock(state, rules)
    return {
        **request_columns(state, clock, COLUMNS_VERSION_NUMBER),
        "advised": int(has_open_recommendation(state)),
        "responsible": responsible_for(state) or None,
        "lead": state.lead.username if state.lead else None,
        "target_date": state.target_date.isoformat() if state.target_date else None,
        "stage_since": clock.since.isoformat() if clock else None,
        "active_at": sortable_time(_last_activity(state)),
        "surveyed_at": sortable_time(state.survey.at if state.survey else None),
    }


def _last_activity(state: State) -> datetime | None:
    times = [entry.time for entry in state.history[-1:]] + ([state.survey.at] if state.survey else [])
    return max(times, default=None)


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
    """Return the query of requests by time of submission; `overdue_on` selects those whose stage is overdue on that day."""
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
    """Return the query of a lead's requests that are overdue before the handover."""
    where: dict[str, Scalar | tuple[Scalar, ...]] = {"lead": lead, "stage": (Stage.START, Stage.WORK, Stage.REPLY)}
    return RecordQuery("due", where=where, below={"due": day.isoformat()})


def find_overdue(
    before: date,
    *,
    stages: tuple[Stage, ...] = tuple(Stage),
    responsible: str = "",
    after: PageKey = None,
    previous: PageKey = None,
    limit: int = 50,
) -> RecordQuery:
    """Return the query of requests whose stage was due before this day, the longest overdue first."""
    by_stage: Scalar | tuple[Scalar, ...] = tuple(stages) if len(stages) > 1 else stages[0]
    where: dict[str, Scalar | tuple[Scalar, ...]] = {"responsible": responsible} if responsible else {}
    if not responsible or len(stages) < len(Stage):
        where["stage"] = by_stage
    return RecordQuery("due", where=where, below={"due": before.isoformat()}, after=after, before=previous, limit=limit)
