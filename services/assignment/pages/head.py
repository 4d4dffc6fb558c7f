"""The console of the structural head: the queue, each request with what may be decided on it, and the leads' load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from services.assignment.domain.commands import AssignLead, ReassignLead, RejectRequest
from services.assignment.domain.decisions import ASSIGNED_STATUSES, suggested_target
from services.assignment.domain.state import State
from services.assignment.errors import WORDS
from services.assignment.pages.staff_list import (
    LEADS_PATH,
    QUEUE_PATH,
    SearchQuery,
    StaffPages,
    TabLink,
    page_position,
    said,
    url,
)
from services.assignment.presenters import RUNNING, document
from services.assignment.projections import find_requests
from services.assignment.schemas import Assignment, Reassignment, Rejection
from shared.contracts.facts import Scope
from shared.contracts.lifecycle import ENDED, Status
from shared.identity.accounts import Account, Role
from shared.runtime.executor import Loaded
from shared.web.auth.access import signed_in
from shared.web.forms.posted_form import PostedForm
from shared.web.http.downloads import download
from shared.web.views.labels import SCOPE_LABELS, STATUS_LABELS
from shared.web.views.page_routes import PageRoute, add_form, see_other

require_head = signed_in(Role.STRUCTURAL)
UNDECIDED_STATUSES = (Status.SUBMITTED, Status.VERIFIED)

TABS: Mapping[str, dict[str, Any]] = {
    "appoint": {"status": Status.VERIFIED},
    "advised": {"advised_only": True},
    "submitted": {"status": Status.SUBMITTED},
    "running": {"status": tuple(RUNNING)},
    "overdue": {},
    "open": {"open_only": True},
    "archive": {"newest_first": True},
}
TABS_WITHOUT_LEAD = ("appoint", "advised", "submitted")
TAB_STATUSES = {
    "running": RUNNING,
    "overdue": ASSIGNED_STATUSES,
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
    def filters(self) -> dict[str, str]:
        """What narrows a tab, by the names that the address has for it."""
        asked = {"search": self.search, "lead": self.lead, "status": self.status, "scope": self.scope}
        return {name: str(value) for name, value in asked.items() if value}


def router(console: StaffPages) -> APIRouter:
    """Routes under /penugasan and /beban-kerja."""
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)
    queue, load = QueuePage(console), WorkloadPage(console)

    @routes.get(QUEUE_PATH, dependencies=[Depends(require_head)])
    async def show_queue(query: Annotated[QueueQuery, Query()], request: Request) -> Response:
        return await queue.show(request, query)

    @routes.get(LEADS_PATH, dependencies=[Depends(require_head)])
    async def show_load(request: Request) -> Response:
        return await load.show(request)

    @routes.get(f"{QUEUE_PATH}/{{id}}/dokumen/{{document_id}}", dependencies=[Depends(require_head)])
    async def download_document(id: str, document_id: str, request: Request) -> Response:
        loaded = await console.desk.get_request(id)
        who = request.state.principal.username
        return await download(request, console.desk.platform.documents, document(loaded.state, document_id), who)

    add_form(routes, f"{QUEUE_PATH}/{{id}}", AssignForm(console), require_head)
    add_form(routes, f"{QUEUE_PATH}/{{id}}/ganti", ReassignForm(console), require_head)
    add_form(routes, f"{QUEUE_PATH}/{{id}}/tolak", RejectForm(console), require_head)
    return routes


class QueuePage:
    """All requests, by what there is to do about them."""

    def __init__(self, console: StaffPages) -> None:
        self._staff_pages, self._service = console, console.desk

    async def show(self, request: Request, query: QueueQuery) -> Response:
        tab = query.open_tab
        cursor = await self._service.store.latest_change()
        find = find_requests(**{**self._asked(tab), **_find_arguments(query)}, **page_position(query))
        found = await self._staff_pages.find_requests_page(find)
        leads = [] if tab in TABS_WITHOUT_LEAD else await self._leads(query.lead)
        return await self._staff_pages.page(
            request,
            "queue.html",
            cursor=cursor,
            tab=tab,
            tabs=[await self._tab(name, tab, query) for name in TABS],
            query=query,
            leads=leads,
            statuses=[(status.value, STATUS_LABELS[status]) for status in TAB_STATUSES.get(tab, ())],
            scopes=[(scope.value, label) for scope, label in SCOPE_LABELS.items()],
            everywhere=url(QUEUE_PATH, tab="archive", search=query.search) if tab != "archive" and query.search else "",
            unnarrowed=url(QUEUE_PATH, tab=tab) if query.filters else "",
            said=said(query.done, query.number),
            **self._staff_pages.lines(found, QUEUE_PATH, {"tab": tab, **query.filters}),
        )

    def _asked(self, tab: str) -> dict[str, Any]:
        return {"overdue_on": self._staff_pages.day} if tab == "overdue" else dict(TABS[tab])

    async def _tab(self, name: str, open_tab: str, query: QueueQuery) -> TabLink:
        """Counted over what is open alone: the archive only grows."""
        count = None if name == "archive" else await self._service.executor.count(find_requests(**self._asked(name)))
        return WORDS.tabs[name], url(QUEUE_PATH, tab=name, search=query.search), name == open_tab, count

    async def _leads(self, chosen: str) -> list[tuple[str, str]]:
        leads = await self._service.platform.accounts.accounts_with_role(Role.TECHNICAL)
        if chosen and chosen not in {lead.username for lead in leads}:
            leads += [former] if (former := await self._service.platform.accounts.account(chosen)) else []
        return [(lead.username, lead.name) for lead in leads]


def _find_arguments(query: QueueQuery) -> dict[str, Any]:
    """A status narrows what a tab holds by itself, and takes the place of that."""
    asked: dict[str, Any] = {"search": query.search, "lead": query.lead, "scope": query.scope or ""}
    if query.status and query.open_tab in TAB_STATUSES:
        asked["status"] = query.status
    return asked


class WorkloadPage:
    """How much each lead has to do."""

    def __init__(self, console: StaffPages) -> None:
        self._staff_pages, self._service = console, console.desk

    async def show(self, request: Request) -> Response:
        cursor = await self._service.store.latest_change()
        people = [
            {**await self._service.workload_of(account), "active": _leads(account)}
            for account in await self._all_accounts()
        ]
        lines = [person for person in people if person["active"] or person["open"]]
        return await self._staff_pages.page(request, "load.html", cursor=cursor, lines=lines, queue=QUEUE_PATH)

    async def _all_accounts(self) -> list[Account]:
        """Those who no longer lead come too: their work has to be given to somebody."""
        return await self._service.platform.accounts.accounts()


def _leads(account: Account) -> bool:
    return account.active and Role.TECHNICAL in account.roles


class AssignForm:
    """A request with all that is known of it; where a lead is awaited, with the form to appoint one."""

    def __init__(self, console: StaffPages) -> None:
        self._staff_pages, self._service = console, console.desk

    async def show(self, request: Request, posted: PostedForm) -> Response:
        cursor = await self._service.store.latest_change()
        loaded = await self._service.get_request(request.path_params["id"])
        appointing = loaded.state.status is Status.VERIFIED or posted.sent
        return await self._staff_pages.page(
            request,
            "request.html",
            posted=posted,
            cursor=cursor,
            request=self._staff_pages.request_view(loaded),
            request_url=request_url(loaded),
            back=QUEUE_PATH,
            appointing=appointing,
            people=await self._service.workloads() if appointing else [],
            suggested=suggested_target(self._staff_pages.day, self._service.rules),
            days=self._service.rules.work_days,
            may_reject=loaded.state.status in UNDECIDED_STATUSES,
            may_replace=loaded.state.status in ASSIGNED_STATUSES,
        )

    async def act(self, request: Request, posted: PostedForm) -> Response:
        loaded, by = await self._service.get_request(request.path_params["id"]), request.state.principal
        body = posted.validate(Assignment)
        lead = await self._service.get_lead_candidate(body.lead)
        command = AssignLead(by.staff, lead, body.complexity, body.target_date, body.note)
        await self._service.execute_command(request, loaded.id, command, by, body)
        return see_other(url(QUEUE_PATH, done="assigned", number=loaded.state.number))


class ReassignForm:
    """Another lead for work that goes on."""

    def __init__(self, console: StaffPages) -> None:
        self._staff_pages, self._service = console, console.desk

    async def show(self, request: Request, posted: PostedForm) -> Response:
        cursor = await self._service.store.latest_change()
        loaded = await self._service.get_request(request.path_params["id"])
        if loaded.state.status not in ASSIGNED_STATUSES and not posted.sent:
            return see_other(request_url(loaded))
        present = loaded.state.lead.username if loaded.state.lead else ""
        return await self._staff_pages.page(
            request,
            "reassign.html",
            posted=posted,
            cursor=cursor,
            request=self._staff_pages.request_view(loaded),
            request_url=request_url(loaded),
            back=request_url(loaded),
            people=[person for person in await self._service.workloads() if person["username"] != present],
        )

    async def act(self, request: Request, posted: PostedForm) -> Response:
        loaded, by = await self._service.get_request(request.path_params["id"]), request.state.principal
        body = posted.validate(Reassignment)
        lead = await self._service.get_lead_candidate(body.lead)
        # The form shows the present target: left as it is, even one that has passed, it stays.
        target = body.target_date if body.target_date != loaded.state.target_date else None
        command = ReassignLead(by.staff, lead, body.reason, target)
        await self._service.execute_command(request, loaded.id, command, by, body)
        return see_other(url(QUEUE_PATH, tab="running", done="reassigned", number=loaded.state.number))


class RejectForm:
    """Asks once more before a request is rejected, which cannot be undone."""

    def __init__(self, console: StaffPages) -> None:
        self._staff_pages, self._service = console, console.desk

    async def show(self, request: Request, posted: PostedForm) -> Response:
        cursor = await self._service.store.latest_change()
        loaded = await self._service.get_request(request.path_params["id"])
        if loaded.state.status not in UNDECIDED_STATUSES and not posted.sent:
            return see_other(request_url(loaded))
        shown = self._staff_pages.request_view(loaded)
        return await self._staff_pages.page(
            request,
            "reject.html",
            posted=posted,
            cursor=cursor,
            request=shown,
            request_url=request_url(loaded),
            back=request_url(loaded),
        )

    async def act(self, request: Request, posted: PostedForm) -> Response:
        loaded, by = await self._service.get_request(request.path_params["id"]), request.state.principal
        body = posted.validate(Rejection)
        await self._service.execute_command(request, loaded.id, RejectRequest(by.staff, body.reason), by, body)
        return see_other(url(QUEUE_PATH, done="rejected", number=loaded.state.number))


def request_url(loaded: Loaded[State]) -> str:
    return f"{QUEUE_PATH}/{loaded.id}"
