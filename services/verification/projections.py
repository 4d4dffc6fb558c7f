"""The read side of verification: columns, their indexes, and the query of the queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Unpack

from services.verification.domain.decisions import is_advised
from services.verification.domain.state import State
from shared.contracts.stages import StageRules, stage_clock
from shared.runtime.executor import Loaded
from shared.runtime.request_columns import RequestFilters, list_columns, request_columns, request_query
from shared.storage.port import Column, RecordQuery, Scalar, Subset, sortable_time

DEFAULT_ORDER = "received_at"
INDEXED_COLUMNS = (
    *list_columns(
        DEFAULT_ORDER,
        "claimed_by",
        filtered=("claimed_by",),
        subsets=(Subset(("claimed_by", DEFAULT_ORDER)),),
    ),
    Column("received_at"),
    Column("advised", "integer", indexed=False),
    Column("claimed_by", indexed=False),
)
COLUMNS_VERSION_NUMBER = 4
"""Increase when `columns` derives other values; the next start then updates stored records."""


def columns(state: State, rules: StageRules) -> Mapping[str, Scalar]:
    """Return the columns of a record."""
    claim = state.active_claim
    return {
        **request_columns(state, stage_clock(state, rules), COLUMNS_VERSION_NUMBER),
        "received_at": sortable_time(state.received_at),
        "advised": 1 if is_advised(state) else None,
        "claimed_by": claim.officer.username if claim else None,
    }


def requests_query(**filters: Unpack[RequestFilters]) -> RecordQuery:
    """Return the query of the queue, by default ordered by the time at which the current round was received."""
    query = request_query(DEFAULT_ORDER, **filters)
    if query.order != DEFAULT_ORDER or "submitted_at" not in query.at_least:
        return query
    # No round is received before the request was submitted.
    return replace(query, at_least={**query.at_least, DEFAULT_ORDER: query.at_least["submitted_at"]})


def list_cursor(loaded: Loaded[State], query: RecordQuery, rules: StageRules) -> tuple[Scalar, str]:
    """Return the cursor of a request in a list."""
    return columns(loaded.state, rules)[query.order], loaded.id
