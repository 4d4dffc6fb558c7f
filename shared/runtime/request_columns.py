"""The columns by which verification and assignment list requests, and the queries of these lists."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import TypedDict, Unpack

from shared.calendar import start_of_day
from shared.contracts.lifecycle import ENDED, Status
from shared.contracts.request_state import StaffRequestState
from shared.contracts.stages import STAGES, StageClock
from shared.storage.port import COLUMNS_VERSION, Column, RecordQuery, Scalar, Subset, sortable_time
from shared.text.folding import fold_text
from shared.text.search import normalize_query, request_search_text

SORT_COLUMNS: Mapping[str, str] = {
    "number": "number",
    "subject": "subject",
    "name": "name",
    "unit": "unit",
    "scope": "scope",
    "status": "step",
    "lead": "lead_name",
    "submitted_at": "submitted_at",
    "due": "due",
}
"""The columns of the store by the fields of a list item that requests can be sorted by."""
SORTED_LETTERS = 60
"""How many characters of a subject count for the order."""

PageKey = tuple[Scalar, str] | None
_STEPS: Mapping[Status, int] = {status: step for step, status in enumerate(Status)}


FILTERED_COLUMNS = ("status", "stage", "unit", "scope", "lead", "submitted_at", "due", "advised")
"""The columns that lists of both services are filtered by."""


def list_columns(
    order: str,
    *further: str,
    filtered: tuple[str, ...] = (),
    combined: tuple[tuple[str, ...], ...] = (),
    subsets: tuple[Subset, ...] = (),
) -> tuple[Column, ...]:
    """Return the declarations of `request_columns`, for lists usually ordered by `order` and sorted by `further` columns too.

    Lists of open requests are `filtered` by more columns than those of both services. Indexes over open requests have them
    all, and those that lists are sorted by, so that every combination is found in their entries; `combined` are the first keys of
    further ones. `subsets` are smaller indexes.
    """
    sorts = dict.fromkeys((order, *SORT_COLUMNS.values(), *further))
    all_columns = (*FILTERED_COLUMNS, *filtered, *sorts)
    of_all = tuple(dict.fromkeys((order, "submitted_at")))
    # Without another order, requests of some days are listed by their submission, and need no index with `open`.
    of_sorts = tuple(name for name in sorts if name != order or name != "submitted_at")
    first_keys = ((order,), ("status", order), ("unit", order), *combined)
    of_open = (
        *(Subset(tuple(dict.fromkeys((*first, "id", *all_columns)))) for first in first_keys),
        Subset(("lead", order)),
        Subset(("due",)),
        Subset(("advised", order)),
        *subsets,
    )
    return (
        Column("number", follows="submitted_at"),
        *map(Column, ("submitted_at", "search")),
        # The lists of one unit are usually the shortest, those of one kind of request the longest.
        *(Column(name, ordered_by=of_all) for name in ("unit", "lead")),
        Column("status", ordered_by=of_all, filtered_with=("lead", "unit", "scope")),
        Column("scope", ordered_by=of_all),
        Column("stage", indexed=False),
        Column("open", "integer", ordered_by=of_sorts, subsets=of_open),
        *(Column(name, indexed=False) for name in ("subject", "name", "lead_name", "due")),
        Column("step", "integer", indexed=False),
        Column(COLUMNS_VERSION, "integer"),
    )


def request_columns(state: StaffRequestState, clock: StageClock | None, version: int) -> dict[str, Scalar]:
    """Return the columns that both services have; `version` is that of the service's columns.

    An open request whose `due` is before today is overdue.
    """
    return {
        COLUMNS_VERSION: version,
        "number": state.number,
        "status": state.status.value,
        "step": _STEPS[state.status],
        "open": int(state.status not in ENDED),
        "submitted_at": sortable_time(state.submitted_at),
        "name": fold_text(state.applicant.name) if state.applicant else "",
        "unit": state.applicant.unit if state.applicant else "",
        "scope": state.scope.value if state.scope else None,
        "subject": fold_text(state.description)[:SORTED_LETTERS],
        "lead": state.lead.username if state.lead else None,
        "lead_name": fold_text(state.lead.name) if state.lead else "",
        "stage": clock.stage.value if clock else None,
        "due": clock.due.isoformat() if clock else None,
        "search": request_search_text(state.number, state.applicant, state.letter, state.description, state.lead),
    }


class RequestFilters(TypedDict, total=False):
    """The filters of a list, its order, and the page of it.

    `lead` and `claimed_by` are usernames; `advised` selects the requests whose rejection is recommended, or the others;
    `overdue_on` those whose stage is overdue on that day; `order` is a column, "" for the usual one.
    """

    order: str
    descending: bool
    status: str | tuple[str, ...]
    stage: str
    unit: str
    scope: str
    lead: str
    claimed_by: str
    advised: bool
    search: str
    submitted_from: date | None
    submitted_to: date | None
    overdue_on: date | None
    open_only: bool
    after: PageKey
    before: PageKey
    limit: int


def _open_values(status: str | tuple[str, ...]) -> Scalar | tuple[Scalar, ...]:
    """Return the values of `open` that requests of these statuses have; each of the two has an index in every order."""
    statuses = (status,) if isinstance(status, str) else status
    values = {int(chosen not in ENDED) for chosen in statuses if chosen} or {0, 1}
    return values.pop() if len(values) == 1 else (0, 1)


def _implied_statuses(filters: RequestFilters) -> str | tuple[str, ...]:
    """Return the statuses of a stage, or of claimed requests, so that an index finds few; "" if no filter implies any."""
    if filters.get("claimed_by"):
        return Status.SUBMITTED.value
    statuses = tuple(status.value for status, stage in STAGES.items() if stage == filters.get("stage"))
    return statuses[0] if len(statuses) == 1 else statuses or ""


def _equal_conditions(filters: RequestFilters, *, in_default_order: bool) -> dict[str, Scalar | tuple[Scalar, ...]]:
    """Return the columns that must have a value, or one of several."""
    values = {
        "status": filters.get("status") or _implied_statuses(filters),
        "stage": filters.get("stage"),
        "unit": filters.get("unit"),
        "scope": filters.get("scope"),
        "lead": filters.get("lead"),
        "claimed_by": filters.get("claimed_by"),
    }
    where: dict[str, Scalar | tuple[Scalar, ...]] = {name: value for name, value in values.items() if value}
    if "advised" in filters:
        # Records of an older version have no value until their columns are derived again, so that is the usual case.
        where["advised"] = 1 if filters["advised"] else None
    if _selects_open(filters):
        where["open"] = 1
    elif not in_default_order:
        where["open"] = _open_values(filters.get("status", ""))
    return where


def _selects_open(filters: RequestFilters) -> bool:
    """Return whether only open requests can match: by their status or what it implies."""
    implied = ("open_only", "overdue_on", "stage", "claimed_by", "advised")
    return any(filters.get(name) for name in implied) or _open_values(filters.get("status", "")) == 1


def _upper_bounds(filters: RequestFilters) -> dict[str, Scalar]:
    """Return the columns that must be below a value."""
    below: dict[str, Scalar] = {}
    if last := filters.get("submitted_to"):
        below["submitted_at"] = sortable_time(start_of_day(last + timedelta(days=1)))
    if day := filters.get("overdue_on"):
        below["due"] = day.isoformat()
    return below


def _usual_order(default_order: str, filters: RequestFilters) -> str:
    """Return the default order, or that of submission if days of submission are looked for among all requests."""
    in_days = filters.get("submitted_from") or filters.get("submitted_to")
    return "submitted_at" if in_days and not _selects_open(filters) else default_order


def request_query(default_order: str, **filters: Unpack[RequestFilters]) -> RecordQuery:
    """Return the query of a list."""
    usual, first = _usual_order(default_order, filters), filters.get("submitted_from")
    order = filters.get("order") or usual
    if any(filters.get(name) and order == SORT_COLUMNS[name] for name in ("unit", "scope", "lead")) or (
        order == SORT_COLUMNS["status"] and filters.get("status") and isinstance(filters["status"], str)
    ):
        order = usual  # all of them have the same value
    return RecordQuery(
        order,
        where=_equal_conditions(filters, in_default_order=order == usual),
        at_least={"submitted_at": sortable_time(start_of_day(first))} if first else {},
        below=_upper_bounds(filters),
        search=normalize_query(filters.get("search", "")),
        after=filters.get("after"),
        before=filters.get("before"),
        limit=filters.get("limit", 50),
        descending=filters.get("descending", False),
    )
