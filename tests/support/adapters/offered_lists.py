"""The queries of all lists that pages and API offer: each tab, with each filter and combination, in each order.

Filters and orders are read from the models of the query parameters, so that a new one is included.
"""

from __future__ import annotations

import random
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import Enum
from itertools import combinations
from typing import Any

from services.assignment import projections as assignment
from services.assignment.pages.head import TAB_STATUSES, TABS, QueueQuery, tab_query
from services.assignment.pages.lead import work_query
from services.assignment.pages.staff_page import SearchQuery
from services.assignment.schemas import WorkQuery
from services.verification import projections as verification
from services.verification.pages.queue import LIST_NAMES, list_query
from services.verification.schemas import QueuePageQuery
from services.verification.schemas import QueueQuery as ApiQuery
from shared.calendar import start_of_day
from shared.contracts.facts import Scope
from shared.contracts.stages import APPLICANT, STAGES, Stage
from shared.storage.port import Column, RecordQuery, Scalar, Write
from shared.web.api.request_lists import RequestListQuery
from tests.support.adapters.state_records import make_write

DAY = date(2026, 7, 1)
MORNING = start_of_day(DAY)
DAY_COLUMNS = ("submitted_at", "received_at", "due", "target_date", "stage_since")
NO_FILTERS = {"limit", "after", "before", "sort", "total", "done", "number", "tab", "selesai"}
"""Parameters that select no requests."""

ToQuery = Callable[[Any], RecordQuery]


@dataclass(frozen=True)
class OfferedList:
    """A list: the model of its parameters, those that a tab fixes, and how it is queried."""

    name: str
    model: type[RequestListQuery]
    fixed: Mapping[str, Any]
    to_query: ToQuery

    def filters(self) -> dict[str, Any]:
        fields = {field.alias or name: field.annotation for name, field in self.model.model_fields.items()}
        return {
            name: sample_value(kind)
            for name, kind in fields.items()
            if name not in NO_FILTERS and name not in self.fixed
        }

    def queries(self, most: int, orders: Sequence[str] | None = None) -> Iterator[tuple[str, RecordQuery]]:
        """Yield the query of each combination of up to `most` filters, and of all of them, in each order."""
        filters = self.filters()
        chosen = [names for count in range(most + 1) for names in combinations(filters, count)]
        for names in [*chosen, tuple(filters)]:
            for sort in ["", *(orders if orders is not None else self.model.sorts)]:
                given = {**self.fixed, **{name: filters[name] for name in names}, "sort": sort}
                yield f"{self.name} {given}", self.to_query(self.model.model_validate(given))


def sample_value(kind: Any) -> Any:
    """Return a value of a parameter of this kind."""
    kinds = [one for one in (typing.get_args(kind) or (kind,)) if one is not type(None)]
    kind = kinds[0]
    if typing.get_origin(kind) is typing.Annotated:
        kind = typing.get_args(kind)[0]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind)).value
    return {bool: True, str: "dewi", date: DAY.isoformat()}[kind]


def _statuses(tab: str) -> list[dict[str, Any]]:
    return [{"tab": tab}, *({"tab": tab, "status": status.value} for status in TAB_STATUSES.get(tab, ()))]


def _head_query(query: QueueQuery) -> RecordQuery:
    return tab_query(query.open_tab, DAY, status=query.status, filters=query.filters(DAY))


VERIFICATION = [
    *(OfferedList(name, QueuePageQuery, {"status": name}, lambda query: list_query(query, DAY)) for name in LIST_NAMES),
    OfferedList("API", ApiQuery, {}, lambda query: verification.requests_query(**query.filters(DAY))),
]
ASSIGNMENT = [
    *(OfferedList(tab, QueueQuery, fixed, _head_query) for tab in TABS for fixed in _statuses(tab)),
    *(
        OfferedList(f"own {tab}", SearchQuery, {"tab": tab}, lambda q: work_query(q, "dewi", DAY))
        for tab in ("", "all")
    ),
    OfferedList("API", WorkQuery, {}, lambda query: assignment.requests_query(**query.filters(DAY))),
]

BOARD = [
    assignment.open_work_query("dewi"),
    assignment.overdue_work_query("dewi", DAY),
    *(
        assignment.overdue_query(DAY, stages=stages, responsible=responsible)
        for stages in (tuple(Stage), (Stage.WORK,), (Stage.VERIFY, Stage.WORK))
        for responsible in ("", "staff:dewi", APPLICANT)
    ),
]
"""The queries of the overdue board and of the leads' load."""

OVERSIGHT = [
    assignment.submitted_query(),
    assignment.submitted_query(("2026-06-30T00:00:00+00:00", "5")),
    assignment.active_since_query(MORNING),
    *(
        assignment.period_query(column, MORNING, MORNING + timedelta(days=30))
        for column in ("submitted_at", "surveyed_at")
    ),
]
"""What the figures, the register and the satisfaction report read."""

LISTS: Mapping[str, tuple[Sequence[Column], Sequence[OfferedList], Sequence[RecordQuery]]] = {
    "verification": (verification.INDEXED_COLUMNS, VERIFICATION, ()),
    "assignment": (assignment.INDEXED_COLUMNS, ASSIGNMENT, [*BOARD, *OVERSIGHT]),
}


def random_request(columns: Sequence[Column], number: int, *, is_open: bool = True) -> Write:
    """Return a write whose columns have values that depend on the number but not on each other."""
    pick = random.Random(number)
    samples: dict[str, Scalar] = {
        "status": pick.choice(tuple(STAGES)).value,
        "stage": pick.choice(tuple(Stage)).value,
        "scope": pick.choice(tuple(Scope)).value,
        "open": int(is_open),
        "advised": None,
    }
    days = {name: f"2026-{pick.randrange(1, 13):02d}-{pick.randrange(1, 29):02d}" for name in DAY_COLUMNS}
    words = {column.name: f"{pick.randrange(30)}" for column in columns if column.kind == "text"}
    numbers = {column.name: pick.randrange(9) for column in columns if column.kind == "integer"}
    values = {**words, **numbers, **days, **samples, "number": f"INT-{number:06d}"}
    return replace(make_write(f"{number:05d}"), columns={column.name: values[column.name] for column in columns})
