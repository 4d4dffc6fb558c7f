"""What the pages of the structural head and of the leads have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

from pydantic import Field, model_validator
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services.assignment.dependencies import Assignment, Context, Head, Lead
from services.assignment.domain.state import State
from services.assignment.errors import WORDS
from services.assignment.pages import QUEUE_PATH, WORK_PATH, templates
from services.assignment.presenters import present_page, present_row, present_summary
from services.assignment.projections import open_work_query, overdue_query, requests_query
from services.assignment.schemas import WorkListQuery
from shared.contracts.lifecycle import Status
from shared.identity.accounts import Role
from shared.identity.principal import Principal
from shared.runtime.executor import Loaded
from shared.storage.port import RecordQuery
from shared.web.api.exports import ExportKind, export_requests
from shared.web.api.lists import page_response
from shared.web.api.request_lists import page_values
from shared.web.forms.posted_form import PostedForm
from shared.web.office.views import ListName, ViewChips, view_chips
from shared.web.views.labels import SCOPE_LABELS
from shared.web.views.navigation import OVERDUE
from shared.web.views.page_routes import see_other
from shared.web.views.request_list import ListLinks, age, list_part
from shared.web.views.words import load_words
from shared.work_units import WORK_UNITS

LIVE_PATH = "/api/assignment/live"
_common = load_words("shared.web.views")

TabLink = tuple[str, str, bool, int | None]
"""Label, URL, whether it is the current tab, and the number of its requests, None if they are not counted."""


class SearchQuery(WorkListQuery):
    """Filters of a list; `done` and `number` name a command that was just executed, for the message above the list."""

    tab: str = Field("", max_length=20)
    done: str = Field("", max_length=20)
    number: str = Field("", max_length=30, pattern=r"^(INT-\d{4}-\d{6,12})?$")

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, values: Any) -> Any:
        return page_values(values)


@dataclass
class StaffPage:
    """A page of a member of staff, created for each request; a subclass names the role as the type of `principal`."""

    request: Request
    principal: Principal
    assignment: Assignment

    async def render(self, template: str, /, **context: Any) -> HTMLResponse:
        counts = await self._menu_counts()
        return templates(self.request, template, live_address=LIVE_PATH, waiting=counts, **context)

    async def enter(self, loaded: Loaded[State]) -> list[str]:
        """Record that this person has the request open, and return the names of others who have."""
        viewers = await self.assignment.platform.presence.enter(loaded.id, self.principal.staff)
        return [viewer.name for viewer in viewers]

    async def _menu_counts(self) -> dict[str, int]:
        count, counts = self.assignment.executor.count, {}
        if self.principal.has_role(Role.STRUCTURAL):
            counts[OVERDUE] = await count(overdue_query(self.assignment.today()))
            counts[QUEUE_PATH] = await count(requests_query(status=Status.VERIFIED))
        if leads := self.principal.usernames_for(Role.TECHNICAL):
            counts[WORK_PATH] = sum([await count(open_work_query(lead)) for lead in leads])
        return counts

    async def export(self, kind: ExportKind, requests: RecordQuery) -> Response:
        """Return a whole list as a file."""
        day, rules = self.assignment.today(), self.assignment.rules
        executor, username = self.assignment.executor, self.principal.username
        return await export_requests(
            kind, username, executor, requests, lambda loaded: present_summary(loaded, day, rules)
        )

    async def views(self, name: ListName, links: ListLinks) -> ViewChips:
        """Return the saved views of a list."""
        return await view_chips(self.assignment.platform.office, self.principal.username, name, links)

    async def list_context(self, query: SearchQuery, requests: RecordQuery, links: ListLinks) -> dict[str, Any]:
        """Return the rows of a list, its links, and what its filters offer."""
        day, rules = self.assignment.today(), self.assignment.rules
        found = await self.assignment.executor.find(requests)

        def row(loaded: Loaded[State]) -> dict[str, Any]:
            return {**present_row(loaded, day, rules), **age(loaded.state, day, rules)}

        page = page_response(found, row, query.sort)
        units = [unit.name for unit in WORK_UNITS if unit.active]
        return {
            "query": query,
            "tab": links.parameters["tab"],
            "lines": page["items"],
            "links": links,
            "part": await list_part(self.assignment.executor, requests, found),
            "next": links.url(after=page["next"]) if page["next"] else "",
            "previous": links.url(before=page["previous"]) if page["previous"] else "",
            "units": [(name, name) for name in (units if query.unit in ("", *units) else [*units, query.unit])],
            "scopes": [(scope.value, label) for scope, label in SCOPE_LABELS.items()],
            "chips": [(_common.list.late_view, links.url(overdue="" if query.overdue else "true"), query.overdue)],
        }

    def request_context(self, loaded: Loaded[State]) -> dict[str, Any]:
        return present_page(loaded, self.assignment.today(), self.assignment.rules)


@dataclass
class HeadPage(StaffPage):
    """A page of the structural head."""

    principal: Head


@dataclass
class LeadPage(StaffPage):
    """A page of technical staff."""

    principal: Lead


@dataclass
class RequestPage(StaffPage, ABC):
    """A page about one request, with a form; in other statuses than its own ones it leads to the request's first page."""

    request_id: str
    context: Context

    base: ClassVar[str]
    """The path of the list; the pages of a request are below it."""
    template: ClassVar[str]
    statuses: ClassVar[Collection[Status]] = tuple(Status)

    @property
    def request_url(self) -> str:
        return f"{self.base}/{self.request_id}"

    @abstractmethod
    async def load(self) -> Loaded[State]:
        """Return the request. Raises Problem 404 if this person may not read it here."""

    async def extra_context(self, _loaded: Loaded[State], _posted: PostedForm) -> dict[str, Any]:
        """Return what the template needs besides the request and the form."""
        return {}

    async def show(self, posted: PostedForm) -> Response:
        # The cursor is taken before the request: a change in between is then reported twice rather than never.
        cursor = await self.assignment.store.latest_change()
        loaded = await self.load()
        if loaded.state.status not in self.statuses and not posted.sent:
            return see_other(self.request_url)
        context = {
            "posted": posted,
            "cursor": cursor,
            "request": self.request_context(loaded),
            "request_url": self.request_url,
            "back": self.request_url,
        }
        return await self.render(self.template, **{**context, **await self.extra_context(loaded, posted)})


@dataclass
class HeadRequestPage(RequestPage):
    """A page of the structural head about one request."""

    principal: Head

    base = QUEUE_PATH

    async def load(self) -> Loaded[State]:
        return await self.assignment.get_request(self.request_id)


@dataclass
class LeadRequestPage(RequestPage):
    """A page of a lead about one own request."""

    principal: Lead

    base = WORK_PATH

    async def load(self) -> Loaded[State]:
        return await self.assignment.get_own_request(self.request_id, self.principal)


def list_links(query: SearchQuery, path: str, tab: str, bare: str = "") -> ListLinks:
    """Return the links of a page with the same tab and filters."""
    parameters = {"tab": tab, **query.active_filters, "status": query.status or ""}
    return ListLinks(path, parameters, query.sort, bare)


def url(path: str, **parameters: object) -> str:
    """Return the path with the parameters that are not empty."""
    query = urlencode({name: value for name, value in parameters.items() if value})
    return f"{path}?{query}" if query else path


def done_message(done: str, number: str = "") -> str:
    """Return the message about a command that was just executed, "" for an unknown one."""
    messages: Any = WORDS.done
    return str(messages[done].format(number=number)) if done in messages else ""
