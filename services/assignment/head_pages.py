"""The console of the structural head: the queue, each request with what may be decided on it, and the leads' load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from services.assignment.console import LEADS, QUEUE, Console, SearchQuery, Tab, address, place, said
from services.assignment.domain import (
    WITH_A_LEAD,
    AssignLead,
    ReassignLead,
    RejectRequest,
    State,
    suggested_target,
)
from services.assignment.fields import Assignment, Reassignment, Rejection
from services.assignment.queries import RUNNING, document, find_requests
from services.assignment.sentences import WORDS
from shared.contracts.course import ENDED, Status
from shared.contracts.facts import Scope
from shared.identity.accounts import Account, Role
from shared.runtime.execution import Kept
from shared.web.access import signed_in
from shared.web.downloads import download
from shared.web.labels import SCOPE_LABELS, STATUS_LABELS
from shared.web.page_routes import PageRoute, add_form, see
from shared.web.posted import Posted

HEAD = signed_in(Role.STRUCTURAL)
UNDECIDED = (Status.SUBMITTED, Status.VERIFIED)

TABS: Mapping[str, dict[str, Any]] = {
    "appoint": {"status": Status.VERIFIED},
    "advised": {"advised_only": True},
    "submitted": {"status": Status.SUBMITTED},
    "running": {"status": tuple(RUNNING)},
    "overdue": {},
    "open": {"open_only": True},
    "archive": {"newest_first": True},
}
WITHOUT_LEADS = ("appoint", "advised", "submitted")
STATUSES = {
    "running": RUNNING,
    "overdue": WITH_A_LEAD,
    "open": tuple(status for status in Status if status not in ENDED and status is not Status.NEW),
    "archive": tuple(status for status in Status if status is not Status.NEW),
}
"""What a tab can be narrowed to, where it holds requests of several statuses."""


class QueueQuery(SearchQuery):
    """`lead` is a username; without a tab, whoever names a lead or a status looks at all that is open."""

    status: Status | None = None
    lead: str = Field("", max_length=100)
    scope: Scope | None = None

    @property
    def open_tab(self) -> str:
        return self.tab if self.tab in TABS else "open" if self.lead or self.status else "appoint"

    @property
    def narrowed(self) -> dict[str, str]:
        """What narrows a tab, by the names that the address has for it."""
        asked = {"search": self.search, "lead": self.lead, "status": self.status, "scope": self.scope}
        return {name: str(value) for name, value in asked.items() if value}


def router(console: Console) -> APIRouter:
    """Routes under /penugasan and /beban-kerja."""
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)
    queue, load = Queue(console), Load(console)

    @routes.get(QUEUE, dependencies=[Depends(HEAD)])
    async def show_queue(query: Annotated[QueueQuery, Query()], request: Request) -> Response:
        return await queue.show(request, query)

    @routes.get(LEADS, dependencies=[Depends(HEAD)])
    async def show_load(request: Request) -> Response:
        return await load.show(request)

    @routes.get(f"{QUEUE}/{{id}}/dokumen/{{document_id}}", dependencies=[Depends(HEAD)])
    async def download_document(id: str, document_id: str, request: Request) -> Response:
        kept = await console.desk.known(id)
        who = request.state.principal.username
        return await download(request, console.desk.platform.documents, document(kept.state, document_id), who)

    add_form(routes, f"{QUEUE}/{{id}}", Appointing(console), HEAD)
    add_form(routes, f"{QUEUE}/{{id}}/ganti", Replacing(console), HEAD)
    add_form(routes, f"{QUEUE}/{{id}}/tolak", Rejecting(console), HEAD)
    return routes


class Queue:
    """All requests, by what there is to do about them."""

    def __init__(self, console: Console):
        self._console, self._desk = console, console.desk

    async def show(self, request: Request, query: QueueQuery) -> Response:
        tab = query.open_tab
        cursor = await self._desk.store.latest_change()
        find = find_requests(**{**self._asked(tab), **_narrowing(query)}, **place(query))
        found = await self._console.listed(find)
        leads = [] if tab in WITHOUT_LEADS else await self._leads(query.lead)
        return await self._console.page(
            request,
            "queue.html",
            cursor=cursor,
            tab=tab,
            tabs=[await self._tab(name, tab, query) for name in TABS],
            query=query,
            leads=leads,
            statuses=[(status.value, STATUS_LABELS[status]) for status in STATUSES.get(tab, ())],
            scopes=[(scope.value, label) for scope, label in SCOPE_LABELS.items()],
            everywhere=address(QUEUE, tab="archive", search=query.search) if tab != "archive" and query.search else "",
            unnarrowed=address(QUEUE, tab=tab) if query.narrowed else "",
            said=said(query.done, query.number),
            **self._console.lines(found, QUEUE, {"tab": tab, **query.narrowed}),
        )

    def _asked(self, tab: str) -> dict[str, Any]:
        return {"overdue_on": self._console.day} if tab == "overdue" else dict(TABS[tab])

    async def _tab(self, name: str, open_tab: str, query: QueueQuery) -> Tab:
        """Counted over what is open alone: the archive only grows."""
        count = None if name == "archive" else await self._desk.executor.count(find_requests(**self._asked(name)))
        return WORDS.tabs[name], address(QUEUE, tab=name, search=query.search), name == open_tab, count

    async def _leads(self, chosen: str) -> list[tuple[str, str]]:
        leads = await self._desk.platform.accounts.with_role(Role.TECHNICAL)
        if chosen and chosen not in {lead.username for lead in leads}:
            leads += [former] if (former := await self._desk.platform.accounts.account(chosen)) else []
        return [(lead.username, lead.name) for lead in leads]


def _narrowing(query: QueueQuery) -> dict[str, Any]:
    """A status narrows what a tab holds by itself, and takes the place of that."""
    asked: dict[str, Any] = {"search": query.search, "lead": query.lead, "scope": query.scope or ""}
    if query.status and query.open_tab in STATUSES:
        asked["status"] = query.status
    return asked


class Load:
    """How much each lead has to do."""

    def __init__(self, console: Console):
        self._console, self._desk = console, console.desk

    async def show(self, request: Request) -> Response:
        cursor = await self._desk.store.latest_change()
        people = [{**await self._desk.load_of(account), "active": _leads(account)} for account in await self._people()]
        lines = [person for person in people if person["active"] or person["open"]]
        return await self._console.page(request, "load.html", cursor=cursor, lines=lines, queue=QUEUE)

    async def _people(self) -> list[Account]:
        """Those who no longer lead come too: their work has to be given to somebody."""
        return await self._desk.platform.accounts.accounts()


def _leads(account: Account) -> bool:
    return account.active and Role.TECHNICAL in account.roles


class Appointing:
    """A request with all that is known of it; where a lead is awaited, with the form to appoint one."""

    def __init__(self, console: Console):
        self._console, self._desk = console, console.desk

    async def show(self, request: Request, posted: Posted) -> Response:
        cursor = await self._desk.store.latest_change()
        kept = await self._desk.known(request.path_params["id"])
        appointing = kept.state.status is Status.VERIFIED or posted.sent
        return await self._console.page(
            request,
            "request.html",
            posted=posted,
            cursor=cursor,
            request=self._console.whole(kept),
            here=here(kept),
            back=QUEUE,
            appointing=appointing,
            people=await self._desk.loads() if appointing else [],
            suggested=suggested_target(self._console.day, self._desk.rules),
            days=self._desk.rules.work_days,
            may_reject=kept.state.status in UNDECIDED,
            may_replace=kept.state.status in WITH_A_LEAD,
        )

    async def act(self, request: Request, posted: Posted) -> Response:
        kept, by = await self._desk.known(request.path_params["id"]), request.state.principal
        body = posted.judged(Assignment)
        lead = await self._desk.technician(body.lead)
        command = AssignLead(by.staff, lead, body.complexity, body.target_date, body.note)
        await self._desk.obey(request, kept.id, command, by, body)
        return see(address(QUEUE, done="assigned", number=kept.state.number))


class Replacing:
    """Another lead for work that goes on."""

    def __init__(self, console: Console):
        self._console, self._desk = console, console.desk

    async def show(self, request: Request, posted: Posted) -> Response:
        cursor = await self._desk.store.latest_change()
        kept = await self._desk.known(request.path_params["id"])
        if kept.state.status not in WITH_A_LEAD and not posted.sent:
            return see(here(kept))
        present = kept.state.lead.username if kept.state.lead else ""
        return await self._console.page(
            request,
            "reassign.html",
            posted=posted,
            cursor=cursor,
            request=self._console.whole(kept),
            here=here(kept),
            back=here(kept),
            people=[person for person in await self._desk.loads() if person["username"] != present],
        )

    async def act(self, request: Request, posted: Posted) -> Response:
        kept, by = await self._desk.known(request.path_params["id"]), request.state.principal
        body = posted.judged(Reassignment)
        lead = await self._desk.technician(body.lead)
        # The form shows the present target: left as it is, even one that has passed, it stays.
        target = body.target_date if body.target_date != kept.state.target_date else None
        command = ReassignLead(by.staff, lead, body.reason, target)
        await self._desk.obey(request, kept.id, command, by, body)
        return see(address(QUEUE, tab="running", done="reassigned", number=kept.state.number))


class Rejecting:
    """Asks once more before a request is rejected, which cannot be undone."""

    def __init__(self, console: Console):
        self._console, self._desk = console, console.desk

    async def show(self, request: Request, posted: Posted) -> Response:
        cursor = await self._desk.store.latest_change()
        kept = await self._desk.known(request.path_params["id"])
        if kept.state.status not in UNDECIDED and not posted.sent:
            return see(here(kept))
        shown = self._console.whole(kept)
        return await self._console.page(
            request, "reject.html", posted=posted, cursor=cursor, request=shown, here=here(kept), back=here(kept)
        )

    async def act(self, request: Request, posted: Posted) -> Response:
        kept, by = await self._desk.known(request.path_params["id"]), request.state.principal
        body = posted.judged(Rejection)
        await self._desk.obey(request, kept.id, RejectRequest(by.staff, body.reason), by, body)
        return see(address(QUEUE, done="rejected", number=kept.state.number))


def here(kept: Kept[State]) -> str:
    return f"{QUEUE}/{kept.id}"
