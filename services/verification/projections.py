"""The read side of verification: columns, their indexes, and the query of the queue."""

from __future__ import annotations

from collections.abc import Mapping

from services.verification.domain.decisions import Rules, is_advised
from services.verification.domain.state import State
from shared.contracts.stages import stage_clock
from shared.runtime.executor import Loaded
from shared.runtime.request_columns import request_columns
from shared.storage.port import COLUMNS_VERSION, Column, RecordQuery, Scalar, sortable_time
from shared.text.search import normalize_query

INDEXED_COLUMNS = (
    *map(Column, ("number", "submitted_at", "received_at", "due", "search")),
    *(Column(name, ordered_by="received_at") for name in ("status", "unit", "scope")),
    Column("stage", ordered_by="due"),
    *(Column(name, "integer", ordered_by="received_at") for name in ("open", "advised")),
    Column("claimed_by", ordered_by="received_at"),
    Column(COLUMNS_VERSION, "integer"),
)
COLUMNS_VERSION_NUMBER = 3
"""Increase when `columns` derives other values; the next start then updates stored records."""


def columns(state: State, rules: Rules) -> Mapping[str, Scalar]:
    """Return the columns of a record."""
    claim = state.active_claim
    return {
        **request_columns(state, stage_clock(state, rules), COLUMNS_VERSION_NUMBER),
        "received_at": sortable_time(state.received_at),
        "advised": 1 if is_advised(state) else None,
        "claimed_by": claim.officer.username if claim else None,
    }


def find_requests(
    *,
    status: str = "",
    unit: str = "",
    scope: str = "",
    search: str = "",
    claimed_by: str = "",
    advised: bool | None = None,
    open_only: bool = False,
    newest_first: bool = False,
    after: tuple[Scalar, str] | None = None,
    before: tuple[Scalar, str] | None = None,
    limit: int = 50,
) -> RecordQuery:
    """Return the query of the queue, ordered by the time at which the current round was received.

    `claimed_by` is the username of an officer; `advised` selects requests whose rejection is recommended, or the others.
    """
    where: dict[str, Scalar | tuple[Scalar, ...]] = {"open": 1} if open_only else {}
    filters = (("status", status), ("unit", unit), ("scope", scope), ("claimed_by", claimed_by))
    where |= {name: value for name, value in filters if value}
    # Records of an older version have no value until their columns are derived again, so that is the usual case.
    where |= {} if advised is None else {"advised": 1 if advised else None}
    return RecordQuery(
        "received_at",
        where=where,
        search=normalize_query(search),
        after=after,
        before=before,
        limit=limit,
        descending=newest_first,
    )


def queue_cursor(loaded: Loaded[State]) -> tuple[Scalar, str]:
    """Return the cursor of a request in the queue."""
    return sortable_time(loaded.state.received_at), loaded.id
