"""The read side of assignment: columns, their indexes, and the queries of lists and counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Unpack

from services.assignment.domain.state import State, has_open_recommendation
from shared.contracts.stages import Stage, StageRules, responsible_for, stage_clock
from shared.runtime.request_columns import PageKey, RequestFilters, list_columns, request_columns, request_query
from shared.storage.port import Column, RecordQuery, Scalar, Subset, sortable_time

DEFAULT_ORDER = "submitted_at"
INDEXED_COLUMNS = (
    *list_columns(
        DEFAULT_ORDER,
        "target_date",
        filtered=("stage_since", "responsible"),
        combined=(("lead", "target_date"),),
        subsets=(
            Subset(("lead", "due", "id", "stage")),
            Subset(("stage", "due", "id", "scope", "unit")),
            Subset(("stage", "stage_since", "id", "scope", "unit")),
            Subset(("responsible", "due")),
            Subset(("responsible", "stage", "due")),
        ),
    ),
    *map(Column, ("target_date", "active_at", "surveyed_at", "stage_since")),
    Column("responsible", indexed=False),
    Column("advised", "integer", indexed=False),
)
COLUMNS_VERSION_NUMBER = 4
"""Increase when `columns` derives other values; the next start then updates stored records."""


def columns(state: State, rules: StageRules) -> Mapping[str, Scalar]:
    """Return the columns of a record."""
    clock = stage_clock(state, rules)
    return {
        **request_columns(state, clock, COLUMNS_VERSION_NUMBER),
        "advised": 1 if has_open_recommendation(state) else None,
        "responsible": responsible_for(state) or None,
        "target_date": state.target_date.isoformat() if state.target_date else None,
        "stage_since": clock.since.isoformat() if clock else None,
        "active_at": sortable_time(_last_activity(state)),
        "surveyed_at": sortable_time(state.survey.at if state.survey else None),
    }


def _last_activity(state: State) -> datetime | None:
    times = [entry.time for entry in state.history[-1:]] + ([state.survey.at] if state.survey else [])
    return max(times, default=None)


def requests_query(**filters: Unpack[RequestFilters]) -> RecordQuery:
    """Return the query of requests, by default in the order of submission."""
    return request_query(DEFAULT_ORDER, **filters)


def work_list_query(username: str, **filters: Unpack[RequestFilters]) -> RecordQuery:
    """Return the query of a lead's open work, by default nearest target first."""
    filters["lead"], filters["open_only"] = username, True
    return request_query("target_date", **filters)


def open_work_query(lead: str) -> RecordQuery:
    """Return the query that counts the open work of a lead, without filters."""
    return RecordQuery("target_date", where={"lead": lead, "open": 1})


def overdue_work_query(lead: str, day: date) -> RecordQuery:
    """Return the query of a lead's requests that are overdue before the handover."""
    where: dict[str, Scalar | tuple[Scalar, ...]] = {
        "lead": lead,
        "open": 1,
        "stage": (Stage.START, Stage.WORK, Stage.REPLY),
    }
    return RecordQuery("due", where=where, below={"due": day.isoformat()})


def overdue_query(
    before: date,
    *,
    stages: Sequence[Stage] | None = None,
    responsible: str = "",
    after: PageKey = None,
    limit: int = 50,
) -> RecordQuery:
    """Return the query of requests whose stage was due before this day, the longest overdue first; None selects all stages."""
    where: dict[str, Scalar | tuple[Scalar, ...]] = {"open": 1}
    if responsible:
        where["responsible"] = responsible
    if stages is not None:
        where["stage"] = stages[0] if len(stages) == 1 else tuple(stages)
    return RecordQuery("due", where=where, below={"due": before.isoformat()}, after=after, limit=limit)


def period_query(column: str, begin: datetime, end: datetime) -> RecordQuery:
    """Return the query of the requests with a time in this period in a column, oldest first; `end` is excluded."""
    return RecordQuery(column, at_least={column: sortable_time(begin)}, below={column: sortable_time(end)})


def submitted_query(after: PageKey = None) -> RecordQuery:
    """Return the query of all requests that were submitted, in this order."""
    return RecordQuery("submitted_at", at_least={"submitted_at": ""}, after=after)


def active_since_query(time: datetime) -> RecordQuery:
    """Return the query of the requests to which something happened at this time or later, the longest ago first."""
    return RecordQuery("active_at", at_least={"active_at": sortable_time(time)})
