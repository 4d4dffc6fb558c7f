"""What the pages of the structural head and of the leads have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import Field, model_validator
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services.assignment.dependencies import Assignment, Context, Head, Lead
from services.assignment.domain.state import State
from services.assignment.errors import WORDS
from services.assignment.pages import QUEUE_PATH, WORK_PATH, templates
from services.assignment.presenters import present_page, present_row
from services.assignment.projections import open_work_query, overdue_query, requests_query
from services.assignment.schemas import WorkListQuery
from shared.contracts.lifecycle import Status
from shared.identity.accounts import Role
from shared.identity.principal import Principal
from shared.runtime.executor import Loaded
from shared.storage.port import BoundedCount, RecordQuery
from shared.web.api.exports import ExportKind
from shared.web.api.request_lists import page_values
from shared.web.forms.posted_form import PostedForm
from shared.web.office.views import ListName, ViewChips, view_chips
from shared.web.views.navigation import OVERDUE
from shared.web.views.page_routes import see_other
from shared.web.views.request_list import ListLinks, age, list_context
from shared.web.views.words import load_words

LIVE_PATH = "/api/assignment/live"
_common = load_words("shared.web.views")

TabLink = tuple[str, str, bool, BoundedCount | None]
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
    context: Context

    async def render(self, template: str, /, **context: Any) -> HTMLResponse:
        counts = await self._menu_counts()
        return templates(self.request, template, live_address=LIVE_PATH, waiting=counts, **context)

    async def enter(self, loaded: Loaded[State]) -> list[str]:
        """Record that this person has the request open, and return the names of others who have."""
        viewers = await self.assignment.platform.presence.enter(loaded.id, self.principal.staff)
        return [viewer.name for viewer in viewers]

    async def _menu_counts(self) -> dict[str, BoundedCount]:
        count, counts = self.assignment.executor.bounded_count, dict[str, BoundedCount]()
        if self.principal.has_role(Role.STRUCTURAL):
            counts[OVERDUE] = await count(overdue_query(self.assignment.today()))
            counts[QUEUE_PATH] = await count(requests_query(status=Status.VERIFIED))
        if leads := self.principal.usernames_for(Role.TECHNICAL):
            counts[WORK_PATH] = sum([await count(open_work_query(lead)) for lead in leads], BoundedCount(0))
        return counts

    async def export(self, kind: ExportKind, requests: RecordQuery) -> Response:
        """Return a whole list as a file."""
        return await self.assignment.export(kind, self.principal, requests)

    async def views(self, name: ListName, links: ListLinks) -> ViewChips:
        """Return the saved views of a list."""
        return await view_chips(self.assignment.platform.office, self.principal.username, name, links)

    async def list_context(self, query: SearchQuery, requests: RecordQuery, links: ListLinks) -> dict[str, Any]:
        """Return what the page of a list shows."""
        day, rules = self.assignment.today(), self.assignment.rules

        def row(loaded: Loaded[State]) -> dict[str, Any]:
            return {**present_row(loaded, day, rules), **age(loaded.state, day, rules)}

        return {
            **await list_context(self.assignment.executor, query, requests, links, row),
            "tab": links.parameters["tab"],
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


def done_message(done: str, number: str = "") -> str:
    """Return the message about a command that was just executed, "" for an unknown one."""
    messages: Any = WORDS.done
    return str(messages[done].format(number=number)) if done in messages else ""
