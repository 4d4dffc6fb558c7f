"""What the consoles of the structural head and of the leads share: how a page of theirs is put together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import urlencode

from pydantic import Field, model_validator
from starlette.requests import Request
from starlette.responses import Response

from services.assignment.domain.state import State
from services.assignment.errors import WORDS
from services.assignment.presenters import line, request_view
from services.assignment.projections import PageKey, count_open, find_requests
from services.assignment.service import AssignmentService
from shared.calendar import today
from shared.contracts.lifecycle import Status
from shared.identity.accounts import Role
from shared.identity.service import Principal
from shared.runtime.executor import Loaded, LoadedPage
from shared.storage.port import RecordQuery
from shared.web.api.lists import ListQuery, drop_blank_values, page_response
from shared.web.views.rendering import Templates

QUEUE_PATH, LEADS_PATH, WORK_PATH = "/penugasan", "/beban-kerja", "/pekerjaan"
LIVE_PATH = "/api/assignment/live"

TabLink = tuple[str, str, bool, int | None]
"""Its label, its address, whether it is the one that is open, and how many requests it has."""

_page = Templates("services.assignment")


class SearchQuery(ListQuery):
    """`done` and `number`: what was just done with which request, to be said once above the list."""

    tab: str = Field("", max_length=20)
    search: str = Field("", max_length=200)
    done: str = Field("", max_length=20)
    number: str = Field("", max_length=30, pattern=r"^(INT-\d{4}-\d{6,12})?$")

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, given: Any) -> Any:
        return drop_blank_values(given)


class StaffPages:
    """Pages of members of staff who have something to do with assignment."""

    def __init__(self, desk: AssignmentService) -> None:
        self.desk = desk

    @property
    def day(self) -> date:
        return today(self.desk.platform.clock())

    async def page(self, request: Request, template: str, /, **context: Any) -> Response:
        waiting = await self._waiting(request.state.principal)
        return _page(request, template, live_address=LIVE_PATH, waiting=waiting, **context)

    async def _waiting(self, principal: Principal) -> dict[str, int]:
        """What waits for this person, by console."""
        finds = {
            QUEUE_PATH: (Role.STRUCTURAL, find_requests(status=Status.VERIFIED)),
            WORK_PATH: (Role.TECHNICAL, count_open(principal.username)),
        }
        return {
            page_position: await self.desk.executor.count(find)
            for page_position, (role, find) in finds.items()
            if principal.has_role(role)
        }

    async def find_requests_page(self, find: RecordQuery) -> LoadedPage[State]:
        return await self.desk.executor.find(find)

    def lines(self, found: LoadedPage[State], path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        """What a list shows: its lines, and the addresses of the pages beside it."""
        day, rules = self.day, self.desk.rules
        page = page_response(found, lambda loaded: line(loaded, day, rules))
        return {
            "lines": page["items"],
            "next": url(path, **parameters, after=page["next"]) if page["next"] else "",
            "previous": url(path, **parameters, before=page["previous"]) if page["previous"] else "",
        }

    def request_view(self, loaded: Loaded[State]) -> dict[str, Any]:
        return request_view(loaded, self.day, self.desk.rules)


def page_position(query: ListQuery) -> dict[str, Any]:
    """Where in a list somebody is."""
    after: PageKey = query.after_key
    before: PageKey = query.before_key
    return {"after": after, "before": before, "limit": query.limit}


def url(path: str, **parameters: object) -> str:
    """The path with what is asked of it; what is empty is left out."""
    query = urlencode({name: value for name, value in parameters.items() if value})
    return f"{path}?{query}" if query else path


def said(done: str, number: str = "") -> str:
    """The message about what was just done with a request, "" for what is nothing that can be done."""
    messages: Any = WORDS.done
    return str(messages[done].format(number=number)) if done in messages else ""
