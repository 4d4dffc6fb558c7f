"""The console of a technical lead: own work, and each request with the steps that are open on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from services.assignment.console import WORK, Console, SearchQuery, Tab, address, place, said
from services.assignment.domain import Command, NoteProgress, PauseWork, ResumeWork, StartWork, State
from services.assignment.fields import Nothing, Pause, Progress, Resume
from services.assignment.queries import count_open, document, find_requests, find_work
from services.assignment.sentences import WORDS
from shared.contracts.course import Status
from shared.contracts.facts import Staff
from shared.documents.media_types import ACCEPT
from shared.identity.accounts import Role
from shared.runtime.execution import Kept
from shared.web.access import signed_in
from shared.web.downloads import download
from shared.web.page_routes import PageRoute, add_form, see
from shared.web.posted import Posted

LEAD = signed_in(Role.TECHNICAL)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a lead's work: its page below the request's, what is asked, when it is open, and what it commands."""

    name: str
    path: str
    model: type[BaseModel]
    status: Status
    command: Callable[[Staff, Any], Command] | None = None


START = Step("start", "", Nothing, Status.ASSIGNED, lambda by, body: StartWork(by))
PROGRESS = Step(
    "progress",
    "/perkembangan",
    Progress,
    Status.IN_PROGRESS,
    lambda by, body: NoteProgress(by, body.note, body.percent),
)
PAUSE = Step("pause", "/tunda", Pause, Status.IN_PROGRESS, lambda by, body: PauseWork(by, body.question))
RESUME = Step("resume", "/lanjutkan", Resume, Status.ON_HOLD, lambda by, body: ResumeWork(by, body.note))
FIRST: Mapping[Status, Step] = {step.status: step for step in (START, RESUME, PROGRESS)}
"""The step that a request's own page offers."""
TABS = (PROGRESS.name, PAUSE.name, "handover")
PATHS = {
    "start": START.path,
    "progress": PROGRESS.path,
    "pause": PAUSE.path,
    "resume": RESUME.path,
    "handover": "/serahkan",
}


def router(console: Console) -> APIRouter:
    """Routes under /pekerjaan, but for the handover."""
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)
    own = OwnWork(console)

    @routes.get(WORK, dependencies=[Depends(LEAD)])
    async def show_work(query: Annotated[SearchQuery, Query()], request: Request) -> Response:
        return await own.show(request, query)

    @routes.get(f"{WORK}/{{id}}/dokumen/{{document_id}}", dependencies=[Depends(LEAD)])
    async def download_document(id: str, document_id: str, request: Request) -> Response:
        kept = await console.desk.work_of(id, request.state.principal)
        who = request.state.principal.username
        return await download(request, console.desk.platform.documents, document(kept.state, document_id), who)

    for step in (START, PROGRESS, PAUSE, RESUME):
        add_form(routes, f"{WORK}/{{id}}{step.path}", WorkForm(console, step), LEAD)
    return routes


class OwnWork:
    """What somebody leads."""

    def __init__(self, console: Console):
        self._console, self._desk = console, console.desk

    async def show(self, request: Request, query: SearchQuery) -> Response:
        me, everything = request.state.principal.username, query.tab == "all"
        cursor = await self._desk.store.latest_change()
        asked = {"search": query.search, **place(query)}
        find = find_requests(lead=me, newest_first=True, **asked) if everything else find_work(me, **asked)
        found = await self._console.listed(find)
        tab = "all" if everything else ""
        return await self._console.page(
            request,
            "own_work.html",
            cursor=cursor,
            tabs=await self._tabs(me, query, everything),
            tab=tab,
            query=query,
            everywhere=address(WORK, tab="all", search=query.search) if query.search and not everything else "",
            unnarrowed=address(WORK, tab=tab) if query.search else "",
            **self._console.lines(found, WORK, {"tab": tab, "search": query.search}),
        )

    async def _tabs(self, me: str, query: SearchQuery, everything: bool) -> list[Tab]:
        count = await self._desk.executor.count(count_open(me))
        return [
            (WORDS.tabs.mine_open, address(WORK, search=query.search), not everything, count),
            (WORDS.tabs.mine_all, address(WORK, tab="all", search=query.search), everything, None),
        ]


class WorkForm:
    """A request that somebody leads, with the form of one step."""

    def __init__(self, console: Console, step: Step):
        self.console, self.desk, self.step = console, console.desk, step

    async def show(self, request: Request, posted: Posted) -> Response:
        cursor = await self.desk.store.latest_change()
        kept = await self.desk.work_of(request.path_params["id"], request.state.principal)
        status = kept.state.status
        if self.step.path and status is not self.step.status and not posted.sent:
            return see(here(kept))
        step = self.step.name if self.step.path else FIRST[status].name if status in FIRST else ""
        return await self.page(request, posted, kept, step, cursor)

    async def page(self, request: Request, posted: Posted, kept: Kept[State], step: str, cursor: str) -> Response:
        at_work = kept.state.status is Status.IN_PROGRESS or step in TABS
        return await self.console.page(
            request,
            "work.html",
            posted=posted,
            cursor=cursor,
            request=self.console.whole(kept),
            step=step,
            steps=[(name, here(kept) + PATHS[name]) for name in TABS] if at_work else [],
            here=here(kept),
            action=here(kept) + PATHS.get(step, ""),
            back=WORK,
            said=said(request.query_params.get("done", "")),
            accepted=ACCEPT,
            file_limit=self.desk.platform.settings.file_limit,
        )

    async def act(self, request: Request, posted: Posted) -> Response:
        by = request.state.principal
        kept = await self.desk.work_of(request.path_params["id"], by)
        body = posted.judged(self.step.model)
        if self.step.command is None:
            raise TypeError(f"{self.step.name} commands nothing by itself")
        await self.desk.obey(request, kept.id, self.step.command(by.staff, body), by, body)
        return see(address(here(kept), done=self.step.name))


def here(kept: Kept[State]) -> str:
    return f"{WORK}/{kept.id}"
