"""The pages of a lead: own requests, and each request with the form of the next step."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from starlette.responses import Response

from services.assignment.access import acting_for_lead, listed_lead
from services.assignment.dependencies import require_lead
from services.assignment.domain.commands import Command, NoteProgress, PauseWork, ResumeWork, StartWork
from services.assignment.domain.state import State
from services.assignment.errors import WORDS
from services.assignment.pages import WORK_PATH
from services.assignment.pages.staff_page import (
    LeadPage,
    LeadRequestPage,
    SearchQuery,
    TabLink,
    done_message,
    list_links,
)
from services.assignment.projections import open_work_query, requests_query, work_list_query
from services.assignment.schemas import PauseBody, ProgressBody, ResumeBody
from shared.contracts.facts import Staff
from shared.contracts.lifecycle import Status
from shared.documents.media_types import ACCEPT
from shared.identity.accounts import Role
from shared.runtime.executor import Loaded
from shared.storage.port import RecordQuery
from shared.web.api.exports import ExportKind
from shared.web.api.validation import EmptyBody
from shared.web.forms.posted_form import PostedForm
from shared.web.office.phrases import PhraseUse, phrases_for
from shared.web.office.views import ListName
from shared.web.views.navigation import page_url
from shared.web.views.page_routes import PageRoute, add_form_page, see_other
from shared.web.views.request_list import EXPORT_NAME


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the work: the path of its form below the request's, and the status in which it is possible."""

    name: str
    path: str
    status: Status


OPEN_TAB = "tab=open"
"""The query of the tab of open work, which the page shows without a query too, unless there is a default view."""

START = Step("start", "", Status.ASSIGNED)
PROGRESS = Step("progress", "/perkembangan", Status.IN_PROGRESS)
PAUSE = Step("pause", "/tunda", Status.IN_PROGRESS)
RESUME = Step("resume", "/lanjutkan", Status.ON_HOLD)
HANDOVER = Step("handover", "/serahkan", Status.IN_PROGRESS)

DEFAULT_STEPS: Mapping[Status, Step] = {step.status: step for step in (START, RESUME, PROGRESS)}
"""The step whose form is on the page of the request."""
TABS = (PROGRESS, PAUSE, HANDOVER)

router = APIRouter(route_class=PageRoute, include_in_schema=False)


def work_query(query: SearchQuery, username: str, day: date) -> RecordQuery:
    """Return the query of a lead's list on that day."""
    filters = query.filters(day)
    if query.tab != "all":
        return work_list_query(username, **filters)
    filters["lead"] = username
    filters["descending"] = query.sort.startswith("-") if query.sort else True
    return requests_query(**filters)


class OwnWorkPage(LeadPage):
    """The requests of a lead: open ones by target, or all of them, newest first."""

    async def show(self, query: SearchQuery) -> Response:
        show_all = query.tab == "all"
        tab = "all" if show_all else ""
        links = list_links(query, WORK_PATH, tab, bare=OPEN_TAB)
        views = await self.views(ListName.WORK, links)
        if views.default_url and not self.request.url.query:
            return see_other(views.default_url)
        cursor = await self.assignment.store.latest_change()
        return await self.render(
            "own_work.html",
            cursor=cursor,
            tabs=await self._tabs(query, show_all),
            search_all_url=page_url(WORK_PATH, tab="all", search=query.search) if query.search and not show_all else "",
            unfiltered_url=page_url(WORK_PATH, tab=tab) if query.active_filters else "",
            lead=query.lead,
            views=views,
            **await self.list_context(query, self.list_query(query), links),
        )

    def list_query(self, query: SearchQuery) -> RecordQuery:
        return work_query(query, self._lead(query), self.assignment.today())

    def _lead(self, query: SearchQuery) -> str:
        return listed_lead(query.lead, self.principal)

    async def _tabs(self, query: SearchQuery, show_all: bool) -> list[TabLink]:
        chosen, own = self._lead(query), self.principal.username
        names = {capacity.username: f"{capacity.kind.prefix} {capacity.name}" for capacity in self.principal.capacities}
        tabs: list[TabLink] = []
        for lead in self.principal.usernames_for(Role.TECHNICAL):
            label = WORDS.tabs.mine_open if lead == own else names[lead]
            address = page_url(WORK_PATH, search=query.search, lead="" if lead == own else lead)
            address = address if "?" in address else f"{address}?{OPEN_TAB}"
            count = await self.assignment.executor.bounded_count(open_work_query(lead))
            tabs.append((label, address, lead == chosen and not show_all, count))
        all_address = page_url(WORK_PATH, tab="all", search=query.search, lead="" if chosen == own else chosen)
        return [*tabs, (WORDS.tabs.mine_all, all_address, show_all, None)]


@router.get(WORK_PATH)
async def show_work(query: Annotated[SearchQuery, Query()], page: Annotated[OwnWorkPage, Depends()]) -> Response:
    """Show the lead's own requests."""
    return await page.show(query)


@router.get(f"{WORK_PATH}/{EXPORT_NAME}.{{kind}}")
async def export_work(
    kind: ExportKind, query: Annotated[SearchQuery, Query()], page: Annotated[OwnWorkPage, Depends()]
) -> Response:
    """Download the whole list that the page shows."""
    return await page.export(kind, page.list_query(query))


class WorkPage(LeadRequestPage):
    """A request with the form of one step."""

    step: ClassVar[Step]
    template = "work.html"

    async def extra_context(self, loaded: Loaded[State], _posted: PostedForm) -> dict[str, Any]:
        status = loaded.state.status
        shown = self.step if self.step.path else DEFAULT_STEPS.get(status)
        shows_tabs = status is Status.IN_PROGRESS or shown in TABS
        office = self.assignment.platform.office
        return {
            "step": shown.name if shown else "",
            "steps": [(tab.name, self.request_url + tab.path) for tab in TABS] if shows_tabs else [],
            "phrases": await phrases_for(office, PhraseUse.QUESTION) if shown is PAUSE else [],
            "open_by": await self.enter(loaded),
            "action": self.request_url + (shown.path if shown else ""),
            "back": WORK_PATH,
            "message": done_message(self.request.query_params.get("done", "")),
            "accepted": ACCEPT,
            "file_limit": self.assignment.platform.settings.file_limit,
        }


class CommandPage(WorkPage):
    """A step whose form is one command."""

    @abstractmethod
    def command(self, posted: PostedForm, by: Staff) -> tuple[Command, BaseModel]:
        """Return the command of the form and the model that it was validated by. Raises Problem 422."""

    async def submit(self, posted: PostedForm) -> Response:
        loaded = await self.load()
        command, body = self.command(posted, acting_for_lead(loaded.state, self.principal).staff)
        await self.assignment.execute(self.context, loaded.id, command, body)
        return see_other(page_url(self.request_url, done=self.step.name))


class StartPage(CommandPage):
    step = START

    def command(self, posted: PostedForm, by: Staff) -> tuple[Command, BaseModel]:
        return StartWork(by), posted.validate(EmptyBody)


class ProgressPage(CommandPage):
    step = PROGRESS
    statuses = (PROGRESS.status,)

    def command(self, posted: PostedForm, by: Staff) -> tuple[Command, BaseModel]:
        body = posted.validate(ProgressBody)
        return NoteProgress(by, body.note, body.percent), body


class PausePage(CommandPage):
    step = PAUSE
    statuses = (PAUSE.status,)

    def command(self, posted: PostedForm, by: Staff) -> tuple[Command, BaseModel]:
        body = posted.validate(PauseBody)
        return PauseWork(by, body.question), body


class ResumePage(CommandPage):
    step = RESUME
    statuses = (RESUME.status,)

    def command(self, posted: PostedForm, by: Staff) -> tuple[Command, BaseModel]:
        body = posted.validate(ResumeBody)
        return ResumeWork(by, body.note), body


for _page in (StartPage, ProgressPage, PausePage, ResumePage):
    add_form_page(router, f"{WORK_PATH}/{{request_id}}{_page.step.path}", _page, require_lead)
