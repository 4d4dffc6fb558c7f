"""What the consoles of the structural head and of the leads share: how a page of theirs is put together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import urlencode

from pydantic import Field, model_validator
from starlette.requests import Request
from starlette.responses import Response

from services.assignment.desk import Desk
from services.assignment.domain import State
from services.assignment.queries import Cursor, count_open, find_requests, line, whole
from services.assignment.sentences import WORDS
from shared.calendar import today
from shared.contracts.course import Status
from shared.identity.accounts import Role
from shared.identity.identity import Principal
from shared.runtime.execution import Kept, KeptPage
from shared.storage.port import Find
from shared.web.lists import ListQuery, page_of, without_blanks
from shared.web.rendering import Pages

QUEUE, LEADS, WORK = "/penugasan", "/beban-kerja", "/pekerjaan"
LIVE = "/api/assignment/live"

Tab = tuple[str, str, bool, int | None]
"""Its label, its address, whether it is the one that is open, and how many requests it has."""

_page = Pages("services.assignment")


class SearchQuery(ListQuery):
    """`done` and `number`: what was just done with which request, to be said once above the list."""

    tab: str = Field("", max_length=20)
    search: str = Field("", max_length=200)
    done: str = Field("", max_length=20)
    number: str = Field("", max_length=30, pattern=r"^(INT-\d{4}-\d{6,12})?$")

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, given: Any) -> Any:
        return without_blanks(given)


class Console:
    """Pages of members of staff who have something to do with assignment."""

    def __init__(self, desk: Desk):
        self.desk = desk

    @property
    def day(self) -> date:
        return today(self.desk.platform.clock())

    async def page(self, request: Request, template: str, /, **facts: Any) -> Response:
        waiting = await self._waiting(request.state.principal)
        return _page(request, template, live_address=LIVE, waiting=waiting, **facts)

    async def _waiting(self, principal: Principal) -> dict[str, int]:
        """What waits for this person, by console."""
        finds = {
            QUEUE: (Role.STRUCTURAL, find_requests(status=Status.VERIFIED)),
            WORK: (Role.TECHNICAL, count_open(principal.username)),
        }
        return {
            place: await self.desk.executor.count(find) for place, (role, find) in finds.items() if principal.has(role)
        }

    async def listed(self, find: Find) -> KeptPage[State]:
        return await self.desk.executor.find(find)

    def lines(self, found: KeptPage[State], path: str, asked: Mapping[str, str]) -> dict[str, Any]:
        """What a list shows: its lines, and the addresses of the pages beside it."""
        day, rules = self.day, self.desk.rules
        page = page_of(found, lambda kept: line(kept, day, rules))
        return {
            "lines": page["items"],
            "next": address(path, **asked, after=page["next"]) if page["next"] else "",
            "previous": address(path, **asked, before=page["previous"]) if page["previous"] else "",
        }

    def whole(self, kept: Kept[State]) -> dict[str, Any]:
        return whole(kept, self.day, self.desk.rules)


def place(query: ListQuery) -> dict[str, Any]:
    """Where in a list somebody is."""
    after: Cursor = query.after_key
    before: Cursor = query.before_key
    return {"after": after, "before": before, "limit": query.limit}


def address(path: str, **asked: object) -> str:
    """The path with what is asked of it; what is empty is left out."""
    query = urlencode({name: value for name, value in asked.items() if value})
    return f"{path}?{query}" if query else path


def said(done: str, number: str = "") -> str:
    """The message about what was just done with a request, "" for what is nothing that can be done."""
    messages: Any = WORDS.done
    return str(messages[done].format(number=number)) if done in messages else ""
