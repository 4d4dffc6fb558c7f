"""What a page with a list of requests links to: other orders, the adjacent pages, and which part of the list it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypeVar
from urllib.parse import urlencode

from shared.contracts.request_state import StaffRequestState
from shared.contracts.stages import STAGES, StageRules, stage_clock
from shared.runtime.executor import Executor, Loaded, LoadedPage
from shared.storage.port import BoundedCount, RecordQuery
from shared.web.api.lists import page_response
from shared.web.api.request_lists import RequestListQuery
from shared.web.views.labels import SCOPE_LABELS
from shared.work_units import WORK_UNITS

State = TypeVar("State")

EXPORT_NAME = "daftar"
"""The name of the file of a list, below the path of its page."""


@dataclass(frozen=True, slots=True)
class SortLink:
    """The link of a column's head; `direction` is that of the present order, "" if it is another column's."""

    url: str
    direction: str


@dataclass(frozen=True, slots=True)
class ListLinks:
    """The links of one list: `parameters` are those of its address without order and part.

    An address without parameters gets `bare`, because without any the page shows the default view.
    """

    path: str
    parameters: Mapping[str, str]
    sort: str = ""
    bare: str = ""

    def url(self, **changes: str) -> str:
        """Return the address with these parameters changed; empty ones are left out."""
        given = {**self.parameters, "sort": self.sort, **changes}
        query = urlencode({name: value for name, value in given.items() if value}) or self.bare
        return f"{self.path}?{query}" if query else self.path

    def file_url(self, kind: str) -> str:
        """Return the address of the whole list as a file."""
        return replace(self, path=f"{self.path}/{EXPORT_NAME}.{kind}").url()

    def sorted_by(self, column: str) -> SortLink:
        """Return the link that sorts by a column, and in the other direction if the list is sorted by it."""
        direction = {column: "ascending", f"-{column}": "descending"}.get(self.sort, "")
        return SortLink(self.url(sort=f"-{column}" if direction == "ascending" else column), direction)


@dataclass(frozen=True, slots=True)
class ListPart:
    """The numbers of the first and last request of a page, and of all."""

    first: int
    last: int
    total: BoundedCount


async def list_part(executor: Executor[Any], query: RecordQuery, page: LoadedPage[Any]) -> ListPart | None:
    """Return the part of a list of open requests that a page shows; lists that only grow are not counted, nor pages far on."""
    if not page.items or not is_counted(query):
        return None
    whole = replace(query, after=None, before=None)
    before = await executor.bounded_count(whole, page.previous) if page.previous else BoundedCount(0)
    if not before.is_exact:
        return None
    last, total = before.number + len(page.items), await executor.bounded_count(whole)
    return ListPart(before.number + 1, last, replace(total, number=max(total.number, last)))


def is_counted(query: RecordQuery) -> bool:
    """Whether a list has open requests only; others grow without end."""
    return query.where.get("open") == 1 or query.where.get("status") in STAGES


async def list_context(
    executor: Executor[State],
    query: RequestListQuery,
    requests: RecordQuery,
    links: ListLinks,
    to_row: Callable[[Loaded[State]], dict[str, Any]],
) -> dict[str, Any]:
    """Return what the template of a list shows: its rows, its links, which part it is, and what its filters offer."""
    found = await executor.find(requests)
    page = page_response(found, to_row, query.sort)
    return {
        "query": query,
        "lines": page["items"],
        "links": links,
        "previous": links.url(before=page["previous"]) if page["previous"] else "",
        "next": links.url(after=page["next"]) if page["next"] else "",
        "part": await list_part(executor, requests, found),
        "units": unit_options(query.unit),
        "scopes": [(scope.value, label) for scope, label in SCOPE_LABELS.items()],
    }


def unit_options(chosen: str) -> list[tuple[str, str]]:
    """Return the listed units, and the chosen one if it is not listed."""
    names = [unit.name for unit in WORK_UNITS if unit.active]
    return [(name, name) for name in (names if chosen in ("", *names) else [*names, chosen])]


def age(state: StaffRequestState, day: date, rules: StageRules) -> dict[str, int]:
    """`{passed, limit}`: the working days since the stage began, and those that it should last at most."""
    clock = stage_clock(state, rules)
    if clock is None:
        return {"passed": 0, "limit": 0}
    calendar = rules.calendar
    return {"passed": max(0, calendar.working_days_between(clock.since, day)), "limit": clock.limit_days(calendar)}


def format_input_date(day: date | None) -> str:
    """Return a day as it is typed into a filter, "" for none."""
    return f"{day:%d/%m/%Y}" if day else ""
