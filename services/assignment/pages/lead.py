"""The console of a technical lead: own work, and each request with the steps that are open on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from services.assignment.domain.commands import Command, NoteProgress, PauseWork, ResumeWork, StartWork
from services.assignment.domain.state import State
from services.assignment.errors import WORDS
from services.assignment.pages.staff_list import WORK_PATH, SearchQuery, StaffPages, TabLink, page_position, said, url
from services.assignment.presenters import document
from services.assignment.projections import count_open, find_requests, find_work
from services.assignment.schemas import Pause, Progress, Resume
from shared.contracts.facts import Staff
from shared.contracts.lifecycle import Status
from shared.documents.media_types import ACCEPT
from shared.identity.accounts import Role
from shared.runtime.executor import Loaded
from shared.web.api.validation import EmptyBody
from shared.web.auth.access import signed_in
from shared.web.forms.posted_form import PostedForm
from shared.web.http.downloads import download
from shared.web.views.page_routes import PageRoute, add_form, see_other

require_lead = signed_in(Role.TECHNICAL)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a lead's work: its page below the request's, what is asked, when it is open, and what it commands."""

    name: str
    path: str
    model: type[BaseModel]
    status: Status
    command: Callable[[Staff, Any], Command] | None = None


START = Step("start", "", EmptyBody, Status.ASSIGNED, lambda by, body: StartWork(by))
PROGRESS = Step(
    "progress",
    "/perkembangan",
    Progress,
    Status.IN_PROGRESS,
    lambda by, body: NoteProgress(by, body.note, body.percent),
)
PAUSE = Step("pause", "/tunda", Pause, Status.IN_PROGRESS, lambda by, body: PauseWork(by, body.question))
RESUME = Step("resume", "/lanjutkan", Resume, Status.ON_HOLD, lambda by, body: ResumeWork(by, body.note))
DEFAULT_STEPS: Mapping[Status, Step] = {step.status: step for step in (START, RESUME, PROGRESS)}
"""The step that a request's own page offers."""
TABS = (PROGRESS.name, PAUSE.name, "handover")
PATHS = {
    "start": START.path,
    "progress": PROGRESS.path,
    "pause": PAUSE.path,
    "resume": RESUME.path,
    "handover": "/serahkan",
}


def router(console: StaffPages) -> APIRouter:
    """Routes under /pekerjaan, but for the handover."""
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)
    own = OwnWorkPage(console)

    @routes.get(WORK_PATH, dependencies=[Depends(require_lead)])
    async def show_work(query: Annotated[SearchQuery, Query()], request: Request) -> Response:
        return await own.show(request, query)

    @routes.get(f"{WORK_PATH}/{{id}}/dokumen/{{document_id}}", dependencies=[Depends(require_lead)])
    async def download_document(id: str, document_id: str, request: Request) -> Response:
        loaded = await console.desk.get_own_request(id, request.state.principal)
        who = request.state.principal.username
        return await download(request, console.desk.platform.documents, document(loaded.state, document_id), who)

    for step in (START, PROGRESS, PAUSE, RESUME):
        add_form(routes, f"{WORK_PATH}/{{id}}{step.path}", WorkForm(console, step), require_lead)
    return routes


class OwnWorkPage:
    """What somebody leads."""

    def __init__(self, console: StaffPages) -> None:
        self._staff_pages, self._service = console, console.desk

    async def show(self, request: Request, query: SearchQuery) -> Response:
        username, show_all = request.state.principal.username, query.tab == "all"
        cursor = await self._service.store.latest_change()
        filters = {"search": query.search, **page_position(query)}
        find = (
            find_requests(lead=username, newest_first=True, **filters) if show_all else find_work(username, **filters)
        )
        found = await self._staff_pages.find_requests_page(find)
        tab = "all" if show_all else ""
        return await self._staff_pages.page(
            request,
            "own_work.html",
            cursor=cursor,
            tabs=await self._tabs(username, query, show_all),
            tab=tab,
            query=query,
            everywhere=url(WORK_PATH, tab="all", search=query.search) if query.search and not show_all else "",
            unnarrowed=url(WORK_PATH, tab=tab) if query.search else "",
            **self._staff_pages.lines(found, WORK_PATH, {"tab": tab, "search": query.search}),
        )

    async def _tabs(self, username: str, query: SearchQuery, show_all: bool) -> list[TabLink]:
        count = await self._service.executor.count(count_open(username))
        return [
            (WORDS.tabs.mine_open, url(WORK_PATH, search=query.search), not show_all, count),
            (WORDS.tabs.mine_all, url(WORK_PATH, tab="all", search=query.search), show_all, None),
        ]


class WorkForm:
    """A request that somebody leads, with the form of one step."""

    def __init__(self, console: StaffPages, step: Step) -> None:
        self.console, self.desk, self.step = console, console.desk, step

    async def show(self, request: Request, posted: PostedForm) -> Response:
        cursor = await self.desk.store.latest_change()
        loaded = await self.desk.get_own_request(request.path_params["id"], request.state.principal)
        status = loaded.state.status
        if self.step.path and status is not self.step.status and not posted.sent:
            return see_other(request_url(loaded))
        step = self.step.name if self.step.path else DEFAULT_STEPS[status].name if status in DEFAULT_STEPS else ""
        return await self.page(request, posted, loaded, step, cursor)

    async def page(
        self, request: Request, posted: PostedForm, loaded: Loaded[State], step: str, cursor: str
    ) -> Response:
        shows_steps = loaded.state.status is Status.IN_PROGRESS or step in TABS
        return await self.console.page(
            request,
            "work.html",
            posted=posted,
            cursor=cursor,
            request=self.console.request_view(loaded),
            step=step,
            steps=[(name, request_url(loaded) + PATHS[name]) for name in TABS] if shows_steps else [],
            request_url=request_url(loaded),
            action=request_url(loaded) + PATHS.get(step, ""),
            back=WORK_PATH,
            said=said(request.query_params.get("done", "")),
            accepted=ACCEPT,
            file_limit=self.desk.platform.settings.file_limit,
        )

    async def act(self, request: Request, posted: PostedForm) -> Response:
        by = request.state.principal
        loaded = await self.desk.get_own_request(request.path_params["id"], by)
        body = posted.validate(self.step.model)
        if self.step.command is None:
            raise TypeError(f"{self.step.name} commands nothing by itself")
        await self.desk.execute_command(request, loaded.id, self.step.command(by.staff, body), by, body)
        return see_other(url(request_url(loaded), done=self.step.name))


def request_url(loaded: Loaded[State]) -> str:
    return f"{WORK_PATH}/{loaded.id}"
