"""The pages of the structural head: the queue, requests with the decisions on them, and the workload of leads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from services.assignment.dependencies import require_head
from services.assignment.domain.commands import AssignLead, ReassignLead, RejectRequest
from services.assignment.domain.decisions import ASSIGNED_STATUSES, suggested_target
from services.assignment.domain.state import State
from services.assignment.errors import WORDS
from services.assignment.pages import LEADS_PATH, QUEUE_PATH
from services.assignment.pages.offered_target import target_offer, validate_target
from services.assignment.pages.staff_page import (
    HeadPage,
    HeadRequestPage,
    SearchQuery,
    TabLink,
    done_message,
    list_links,
)
from services.assignment.presenters import RUNNING_STATUSES
from services.assignment.projections import requests_query
from services.assignment.schemas import AssignmentBody, ReassignmentBody, RejectionBody
from shared.contracts.lifecycle import Status
from shared.contracts.stages import STAGES
from shared.identity.accounts import Account, Role
from shared.runtime.executor import Loaded
from shared.runtime.request_columns import RequestFilters
from shared.storage.port import RecordQuery
from shared.web.api.exports import ExportKind
from shared.web.forms.posted_form import PostedForm
from shared.web.office.phrases import PhraseUse, phrases_for
from shared.web.office.views import ListName
from shared.web.views.labels import STATUS_LABELS
from shared.web.views.navigation import page_url
from shared.web.views.page_routes import PageRoute, add_form_page, see_other
from shared.web.views.request_list import EXPORT_NAME

UNDECIDED_STATUSES = (Status.SUBMITTED, Status.VERIFIED)

OPEN_STATUSES = tuple(STAGES)

TABS = ("appoint", "advised", "submitted", "running", "overdue", "open", "archive")
TABS_WITHOUT_LEAD = ("appoint", "advised", "submitted")
TAB_STATUSES: Mapping[str, tuple[Status, ...]] = {
    "running": RUNNING_STATUSES,
    "overdue": OPEN_STATUSES,
    "open": OPEN_STATUSES,
    "archive": tuple(status for status in Status if status is not Status.NEW),
}
"""The statuses by which a tab with requests of several statuses can be filtered."""

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class QueueQuery(SearchQuery):
    """`lead` is a username; without a tab, a lead or a status selects the tab of all open requests."""

    @property
    def open_tab(self) -> str:
        return self.tab if self.tab in TABS else "open" if self.lead or self.status else "appoint"


class QueuePage(HeadPage):
    """All requests in tabs, by what there is to do."""

    async def show(self, query: QueueQuery) -> Response:
        tab = query.open_tab
        links = list_links(query, QUEUE_PATH, tab)
        views = await self.views(ListName.ASSIGNMENT, links)
        if views.default_url and not self.request.url.query:
            return see_other(views.default_url)
        cursor = await self.assignment.store.latest_change()
        is_filtered = bool(query.active_filters or query.status)
        return await self.render(
            "queue.html",
            cursor=cursor,
            tabs=[await self._tab(name, query) for name in TABS],
            leads=[] if tab in TABS_WITHOUT_LEAD else await self._lead_choices(query.lead),
            statuses=[(status.value, STATUS_LABELS[status]) for status in TAB_STATUSES.get(tab, ())],
            search_all_url=page_url(QUEUE_PATH, tab="archive", search=query.search)
            if tab != "archive" and query.search
            else "",
            unfiltered_url=page_url(QUEUE_PATH, tab=tab) if is_filtered else "",
            message=done_message(query.done, query.number),
            views=views,
            **await self.list_context(query, self.list_query(query), links),
        )

    def list_query(self, query: QueueQuery) -> RecordQuery:
        """Return the query of the list; a status filter replaces the statuses of the tab."""
        day, tab = self.assignment.today(), query.open_tab
        filters = query.filters(day)
        status = query.status if query.status and tab in TAB_STATUSES else None
        return tab_query(tab, day, status=status, filters=filters)

    async def _tab(self, name: str, query: QueueQuery) -> TabLink:
        count = None
        # The archive only grows, so that counting it would take longer every year.
        if name != "archive":
            count = await self.assignment.executor.bounded_count(tab_query(name, self.assignment.today()))
        return WORDS.tabs[name], page_url(QUEUE_PATH, tab=name, search=query.search), name == query.open_tab, count

    async def _lead_choices(self, selected: str) -> list[tuple[str, str]]:
        accounts = self.assignment.platform.accounts
        leads = await accounts.accounts_with_role(Role.TECHNICAL)
        if selected and selected not in {lead.username for lead in leads}:
            former = await accounts.account(selected)
            leads += [former] if former else []
        return [(lead.username, lead.name) for lead in leads]


def tab_query(
    tab: str, day: date, *, status: Status | None = None, filters: RequestFilters | None = None
) -> RecordQuery:
    """Return the query of a tab on that day, with further filters."""
    given: RequestFilters = {**(filters or {}), "status": status or ""}
    match tab:
        case "appoint":
            given["status"] = Status.VERIFIED
        case "advised":
            given["advised"] = True
        case "submitted":
            given["status"] = Status.SUBMITTED
        case "running":
            given["status"] = status or RUNNING_STATUSES
        case "overdue":
            given["overdue_on"] = day
        case "open":
            given["open_only"] = True
        case _:
            given["descending"] = given.get("descending", False) if given.get("order") else True
            return requests_query(**given)
    given["open_only"] = True
    return requests_query(**given)


@router.get(QUEUE_PATH)
async def show_queue(query: Annotated[QueueQuery, Query()], page: Annotated[QueuePage, Depends()]) -> Response:
    """Show a tab of the queue."""
    return await page.show(query)


@router.get(f"{QUEUE_PATH}/{EXPORT_NAME}.{{kind}}")
async def export_queue(
    kind: ExportKind, query: Annotated[QueueQuery, Query()], page: Annotated[QueuePage, Depends()]
) -> Response:
    """Download the whole list that the page shows."""
    return await page.export(kind, page.list_query(query))


@router.get(LEADS_PATH)
async def show_workloads(page: Annotated[HeadPage, Depends()]) -> Response:
    """Show the workload of leads, and of former ones whose requests have to be reassigned."""
    assignment = page.assignment
    cursor = await assignment.store.latest_change()
    accounts = await assignment.platform.accounts.accounts()
    people = [{**await assignment.workload(account), "active": _can_lead(account)} for account in accounts]
    lines = [person for person in people if person["active"] or person["open"]]
    return await page.render("load.html", cursor=cursor, lines=lines, queue=QUEUE_PATH)


class AssignPage(HeadRequestPage):
    """A request, with the form to assign a lead while that is pending."""

    template = "request.html"

    async def extra_context(self, loaded: Loaded[State], posted: PostedForm) -> dict[str, Any]:
        appointing = loaded.state.status is Status.VERIFIED or posted.sent
        rules = self.assignment.rules
        return {
            "open_by": await self.enter(loaded),
            "back": QUEUE_PATH,
            "appointing": appointing,
            "people": await self.assignment.list_workloads() if appointing else [],
            "suggested": suggested_target(self.assignment.today(), rules),
            "offer": target_offer(posted, rules.calendar),
            "days": rules.work_days,
            "may_reject": loaded.state.status in UNDECIDED_STATUSES,
            "may_replace": loaded.state.status in ASSIGNED_STATUSES,
        }

    async def submit(self, posted: PostedForm) -> Response:
        loaded = await self.load()
        body = validate_target(posted, AssignmentBody, self.assignment.rules.calendar)
        lead = await self.assignment.get_lead_candidate(body.lead)
        command = AssignLead(self.principal.staff, lead, body.complexity, body.target_date, body.note)
        await self.assignment.execute(self.context, loaded.id, command, body)
        return see_other(page_url(QUEUE_PATH, done="assigned", number=loaded.state.number))


class ReassignPage(HeadRequestPage):
    """The form to replace the lead."""

    template = "reassign.html"
    statuses = ASSIGNED_STATUSES

    async def extra_context(self, loaded: Loaded[State], posted: PostedForm) -> dict[str, Any]:
        current = loaded.state.lead.username if loaded.state.lead else ""
        return {
            "people": [person for person in await self.assignment.list_workloads() if person["username"] != current],
            "offer": target_offer(posted, self.assignment.rules.calendar, current=loaded.state.target_date),
        }

    async def submit(self, posted: PostedForm) -> Response:
        loaded = await self.load()
        body = validate_target(
            posted, ReassignmentBody, self.assignment.rules.calendar, current=loaded.state.target_date
        )
        lead = await self.assignment.get_lead_candidate(body.lead)
        # The form shows the current target, which stays if it is not changed, even if it has passed.
        target = body.target_date if body.target_date != loaded.state.target_date else None
        command = ReassignLead(self.principal.staff, lead, body.reason, target)
        await self.assignment.execute(self.context, loaded.id, command, body)
        return see_other(page_url(QUEUE_PATH, tab="running", done="reassigned", number=loaded.state.number))


class RejectPage(HeadRequestPage):
    """The confirmation of a rejection, which cannot be undone."""

    template = "reject.html"
    statuses = UNDECIDED_STATUSES

    async def extra_context(self, _loaded: Loaded[State], _posted: PostedForm) -> dict[str, Any]:
        return {"phrases": await phrases_for(self.assignment.platform.office, PhraseUse.REJECTION)}

    async def submit(self, posted: PostedForm) -> Response:
        loaded = await self.load()
        body = posted.validate(RejectionBody)
        command = RejectRequest(self.principal.staff, body.reason)
        await self.assignment.execute(self.context, loaded.id, command, body)
        return see_other(page_url(QUEUE_PATH, done="rejected", number=loaded.state.number))


add_form_page(router, f"{QUEUE_PATH}/{{request_id}}", AssignPage, require_head)
add_form_page(router, f"{QUEUE_PATH}/{{request_id}}/ganti", ReassignPage, require_head)
add_form_page(router, f"{QUEUE_PATH}/{{request_id}}/tolak", RejectPage, require_head)


def _can_lead(account: Account) -> bool:
    return account.active and Role.TECHNICAL in account.roles
