"""The JSON API of assignment, for the structural head and the leads: who does the work, by when, and how it goes."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AfterValidator, Field

from services.assignment.completion import FILES, Completion, Summary, told
from services.assignment.domain import (
    AssignLead,
    Command,
    NoteProgress,
    PauseWork,
    ReassignLead,
    RejectRequest,
    ResumeWork,
    StartWork,
    State,
)
from services.assignment.queries import count_open, count_overdue, document, find_requests, full, is_lead, item
from shared.calendar import today
from shared.contracts.course import Status
from shared.contracts.facts import Complexity, Staff
from shared.identity.accounts import Account, Role
from shared.identity.identity import Principal
from shared.platform import Platform
from shared.runtime.decider import Refusal
from shared.runtime.execution import Kept
from shared.runtime.service import ServiceRuntime
from shared.web.access import GuardedRoute, signed_in
from shared.web.bodies import Body, Day, FieldError
from shared.web.commands import OptionalText, Sentences, Text, obey, problem_of, shown
from shared.web.downloads import download
from shared.web.idempotency import command_key, digest_of
from shared.web.lists import ListQuery, page_of
from shared.web.live import live
from shared.web.problems import Problem, invalid
from shared.web.uploads import read_form

Head = Annotated[Principal, Depends(signed_in(Role.STRUCTURAL))]
Technical = Annotated[Principal, Depends(signed_in(Role.TECHNICAL))]
Reader = Annotated[Principal, Depends(signed_in(Role.STRUCTURAL, Role.TECHNICAL))]

UNKNOWN = "Permohonan itu tidak ditemukan."
NO_LEAD = "Pilih penanggung jawab teknis yang akunnya masih aktif."

SENTENCES: Sentences = {
    "not_your_request": (404, "", UNKNOWN),
    "reason_missing": (422, "reason", "Wajib diisi."),
    "note_missing": (422, "note", "Wajib diisi."),
    "question_missing": (422, "question", "Wajib diisi."),
    "summary_missing": (422, "summary", "Wajib diisi."),
    "target_in_the_past": (422, "target_date", "Pilih target selesai hari ini ({today}) atau sesudahnya."),
    "same_lead": (422, "lead", "{lead} sudah menjadi penanggung jawab teknis permohonan ini. Pilih orang lain."),
    "percent_out_of_range": (422, "percent", "Isi dengan angka dari 0 sampai 100."),
    "documents_missing": (422, "documents", "Berkas wajib diunggah."),
    "record_missing": (422, "documents", "Berita acara belum terbentuk. Kirim kembali dokumen hasilnya."),
    "record_outdated": (409, "", "Serah terima lain baru saja tercatat. Muat ulang halaman, lalu coba lagi."),
}


LATEST_YEAR = 2099
"""Beyond it days would be counted for ever, for what can only be a slip of the hand."""


def _in_sight(day: date) -> date:
    if day.year > LATEST_YEAR:
        raise ValueError(f"Tulis tanggal sampai dengan tahun {LATEST_YEAR}.")
    return day


Target = Annotated[Day, AfterValidator(_in_sight)]


class WorkQuery(ListQuery):
    """`lead` is a username; `overdue` true: only what is past its target; `search`: words of number, name or unit."""

    status: Status | None = None
    lead: str = Field("", max_length=100)
    overdue: bool = False
    search: str = Field("", max_length=200)


class Nothing(Body):
    """A body without fields, which may be left out."""


class Rejection(Body):
    reason: Text


class Assignment(Body):
    """`lead` is the username of an active member of the technical staff; `target_date` is today or later."""

    lead: str = Field(min_length=1, max_length=100)
    complexity: Complexity
    target_date: Target
    note: OptionalText = ""


class Reassignment(Body):
    """Without a `target_date` the target stays."""

    lead: str = Field(min_length=1, max_length=100)
    reason: Text
    target_date: Target | None = None


class Progress(Body):
    note: Text
    percent: int | None = Field(None, ge=0, le=100)


class Pause(Body):
    question: Text


class Resume(Body):
    note: OptionalText = ""


class Desk:
    """What the calls of this service have in common."""

    def __init__(self, runtime: ServiceRuntime[State], platform: Platform):
        self.executor, self.store, self.platform = runtime.executor, runtime.store, platform

    async def known(self, id: str) -> Kept[State]:
        """Raises Problem 404 for a request that was not heard of."""
        kept = await self.executor.read(id)
        if kept is None or not kept.state.number:
            raise Problem(404, UNKNOWN)
        return kept

    async def work_of(self, id: str, lead: Principal) -> Kept[State]:
        """Raises Problem 404 as well for a request that somebody else leads."""
        kept = await self.known(id)
        if not is_lead(kept.state, lead.staff):
            raise Problem(404, UNKNOWN)
        return kept

    async def readable(self, id: str, reader: Principal) -> Kept[State]:
        """A head may open every request, technical staff their own. Raises Problem 404."""
        return await (self.known(id) if reader.has(Role.STRUCTURAL) else self.work_of(id, reader))

    async def technician(self, username: str) -> Staff:
        """Raises Problem 422 for anybody who cannot lead."""
        account = await self.platform.accounts.account(username.lower())
        if account is None or not account.active or Role.TECHNICAL not in account.roles:
            raise invalid([FieldError("lead", NO_LEAD)])
        return Staff(username=account.username, name=account.name)

    async def obey(self, request: Request, id: str, command: Command, by: Principal, body: Body) -> dict[str, Any]:
        return await obey(request, self.executor, id, command, by.username, SENTENCES, body)

    async def load_of(self, account: Account) -> dict[str, Any]:
        overdue = count_overdue(account.username, today(self.platform.clock()))
        return {
            "username": account.username,
            "name": account.name,
            "open": await self.executor.count(count_open(account.username)),
            "overdue": await self.executor.count(overdue),
        }


def router(runtime: ServiceRuntime[State], platform: Platform, completion: Completion) -> APIRouter:
    """Routes under /api/assignment."""
    routes = APIRouter(prefix="/api/assignment", tags=["assignment"], route_class=GuardedRoute)
    desk = Desk(runtime, platform)
    _reading(routes, desk)
    _appointing(routes, desk)
    _working(routes, desk)
    _completing(routes, desk, completion)
    _following(routes, desk)
    return routes


def _reading(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/requests")
    async def list_requests(query: Annotated[WorkQuery, Query()], reader: Reader) -> dict[str, Any]:
        """Requests in the order in which they were submitted; technical staff find their own."""
        lead = query.lead if reader.has(Role.STRUCTURAL) else reader.username
        if query.lead not in ("", lead):
            return {"items": [], "next": None, "previous": None}
        day = today(desk.platform.clock())
        find = find_requests(
            status=query.status or "",
            lead=lead,
            overdue_on=day if query.overdue else None,
            search=query.search,
            after=query.after_key,
            before=query.before_key,
            limit=query.limit,
        )
        return page_of(await desk.executor.find(find), lambda kept: item(kept, day))

    @routes.get("/requests/{id}")
    async def show_request(id: str, reader: Reader) -> dict[str, Any]:
        """Everything that was sent, what officers advised, and how the work stands."""
        return full(await desk.readable(id, reader), today(desk.platform.clock()))

    @routes.get("/requests/{id}/documents/{document_id}", response_class=Response)
    async def download_document(id: str, document_id: str, reader: Reader) -> Response:
        """The document itself, as it was sent or handed over."""
        kept = await desk.readable(id, reader)
        return await download(desk.platform.documents, document(kept.state, document_id), reader.username)


def _appointing(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/leads")
    async def list_leads(head: Head) -> dict[str, Any]:
        """The active technical staff, with how much open and overdue work each has."""
        accounts = await desk.platform.accounts.with_role(Role.TECHNICAL)
        return {"items": [await desk.load_of(account) for account in accounts], "next": None, "previous": None}

    @routes.post("/requests/{id}/rejection")
    async def reject(id: str, body: Rejection, head: Head, request: Request) -> dict[str, Any]:
        """Reject a request that was submitted or verified; the applicant is told the reason."""
        await desk.known(id)
        return await desk.obey(request, id, RejectRequest(head.staff, body.reason), head, body)

    @routes.post("/requests/{id}/assignment")
    async def assign(id: str, body: Assignment, head: Head, request: Request) -> dict[str, Any]:
        """Appoint the technical lead of a verified request."""
        await desk.known(id)
        lead = await desk.technician(body.lead)
        command = AssignLead(head.staff, lead, body.complexity, body.target_date, body.note)
        return await desk.obey(request, id, command, head, body)

    @routes.post("/requests/{id}/reassignment")
    async def reassign(id: str, body: Reassignment, head: Head, request: Request) -> dict[str, Any]:
        """Replace the technical lead while the work goes on."""
        await desk.known(id)
        lead = await desk.technician(body.lead)
        return await desk.obey(request, id, ReassignLead(head.staff, lead, body.reason, body.target_date), head, body)


def _working(routes: APIRouter, desk: Desk) -> None:
    @routes.post("/requests/{id}/start")
    async def start(id: str, lead: Technical, request: Request, body: Nothing | None = None) -> dict[str, Any]:
        """Begin the work."""
        await desk.work_of(id, lead)
        return await desk.obey(request, id, StartWork(lead.staff), lead, body or Nothing())

    @routes.post("/requests/{id}/progress")
    async def progress(id: str, body: Progress, lead: Technical, request: Request) -> dict[str, Any]:
        """Note how far the work is; the applicant reads it too."""
        await desk.work_of(id, lead)
        return await desk.obey(request, id, NoteProgress(lead.staff, body.note, body.percent), lead, body)

    @routes.post("/requests/{id}/pause")
    async def pause(id: str, body: Pause, lead: Technical, request: Request) -> dict[str, Any]:
        """Ask the applicant and wait; the clock of the target stops."""
        await desk.work_of(id, lead)
        return await desk.obey(request, id, PauseWork(lead.staff, body.question), lead, body)

    @routes.post("/requests/{id}/resume")
    async def resume(id: str, lead: Technical, request: Request, body: Resume | None = None) -> dict[str, Any]:
        """Go on without the applicant's answer; the target moves by the working days that were lost."""
        await desk.work_of(id, lead)
        said = body or Resume()
        return await desk.obey(request, id, ResumeWork(lead.staff, said.note), lead, said)


def _completing(routes: APIRouter, desk: Desk, completion: Completion) -> None:
    @routes.post("/requests/{id}/completion")
    async def complete(id: str, lead: Technical, request: Request) -> dict[str, Any]:
        """Hand over: a form with `summary` and 1 to 20 `documents`; the handover record is drawn and added."""
        await desk.work_of(id, lead)
        async with read_form(request, Summary, FILES, completion.limits) as form:
            key = command_key(request, f"{lead.username}\n{id}", digest_of(*await told(form)))
            kept = await desk.work_of(id, lead)
            try:
                return shown(await completion.complete(kept, lead.staff, form, key))
            except Refusal as refusal:
                kept = await desk.known(id)
                raise problem_of(refusal, SENTENCES, kept.version) from refusal


def _following(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/live", response_class=Response)
    async def follow(reader: Reader, request: Request) -> Response:
        """Server-sent events: which request changed, to what version; technical staff hear of their own."""

        async def still_allowed() -> bool:
            return await desk.platform.identity.still_signed_in(reader)

        async def allowed(id: str, version: int) -> dict[str, Any] | None:
            try:
                kept = await desk.readable(id, reader)
            except Problem:
                return None
            return {"number": kept.state.number, "status": kept.state.status}

        return await live(request, desk.store, allowed, still_allowed)
