"""The pages of officers: the queue, a request beside its documents with the decision on it, and the advice to reject."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from services.verification.checklist import (
    FIELD_LABELS,
    chosen,
    decision,
    explained,
    note_field,
    round_of,
    verdict_field,
)
from services.verification.desk import Desk
from services.verification.domain import RecommendRejection, State, out_of_date, recommendation, shortcomings
from services.verification.fields import BoardQuery, Recommendation
from services.verification.queries import full, line
from services.verification.queue import QUEUE, Queue
from services.verification.viewer import LOOK, asked_for, view
from shared.calendar import today
from shared.contracts.course import Status
from shared.contracts.facts import ChecklistItem
from shared.identity.accounts import Role
from shared.identity.identity import Principal
from shared.runtime.execution import Kept
from shared.web.access import signed_in
from shared.web.downloads import download
from shared.web.employee_number import grouped
from shared.web.idempotency import digest_of
from shared.web.labels import CHECKLIST_LABELS
from shared.web.page_routes import PageRoute, add_form, see
from shared.web.posted import Posted
from shared.web.problems import invalid
from shared.web.rendering import Pages
from shared.web.shapes import warnings

CHECKS = [(verdict_field(item), note_field(item), CHECKLIST_LABELS[item], item.value) for item in ChecklistItem]
"""Each line of the checklist: its two fields, what it says, and its code."""

OFFICER = signed_in(Role.OFFICER)
Officer = Annotated[Principal, Depends(OFFICER)]


def router(desk: Desk) -> APIRouter:
    """Routes under /verifikasi."""
    routes = APIRouter(prefix=QUEUE, route_class=PageRoute, include_in_schema=False)
    page = Pages("services.verification")
    queue = Queue(desk, page)

    @routes.get("")
    async def show_queue(query: Annotated[BoardQuery, Query()], officer: Officer, request: Request) -> Response:
        return await queue.show(request, query, officer)

    @routes.get("/{id}/dokumen/{document_id}")
    async def download_document(id: str, document_id: str, officer: Officer, request: Request) -> Response:
        document = await desk.document(id, document_id)
        return await download(request, desk.platform.documents, document, officer.username)

    add_form(routes, "/{id}", CheckForm(desk, page), OFFICER)
    add_form(routes, "/{id}/rekomendasi", AdviceForm(desk, page), OFFICER)
    return routes


class _RequestForm:
    """What both forms about one request have in common."""

    def __init__(self, desk: Desk, page: Pages):
        self._desk, self._page = desk, page

    def _told(self, kept: Kept[State]) -> dict[str, Any]:
        """The request in full, with the day that is waited for."""
        day = today(self._desk.platform.clock())
        return {**line(kept, day, self._desk.rules), **full(kept, day, self._desk.rules)}

    def _noticed(self, kept: Kept[State], posted: Posted) -> Posted:
        """What was filled in, with the news if the request has changed since."""
        stale = out_of_date(kept.state, round_of(posted, kept.state.course.round))
        return posted.with_problem(self._desk.moved_on(kept)) if stale and not posted.problem else posted

    async def _waiting(self) -> dict[str, int]:
        return {QUEUE: await self._desk.waiting()}


class CheckForm(_RequestForm):
    """A request with everything that was sent, to be judged as long as it waits for that and to be read ever after."""

    async def show(self, request: Request, posted: Posted) -> Response:
        cursor = await self._desk.store.latest_change()
        kept = await self._desk.known(request.path_params["id"])
        viewer = await view(self._desk, kept, *asked_for(request, posted))
        filled = chosen(posted)
        posted = self._noticed(kept, posted) if filled else replace(posted, texts={})
        conflict = posted.problem is not None and "current" in posted.problem.extra
        return self._page(
            request,
            "request.html",
            posted=posted,
            field_labels=FIELD_LABELS,
            request=self._told(kept),
            viewer=viewer,
            deciding=kept.state.status is Status.SUBMITTED and not conflict,
            filled=filled,
            round=round_of(posted, kept.state.course.round),
            checks=CHECKS,
            warnings=[(each["code"], each["message"]) for each in warnings(kept.state.warnings)],
            employee_number=grouped(kept.state.applicant.employee_number) if kept.state.applicant else "",
            judgement=kept.state.judgement,
            advised=recommendation(kept.state) is not None,
            cursor=cursor,
            waiting=await self._waiting(),
        )

    async def act(self, request: Request, posted: Posted) -> Response:
        if posted.button.partition(":")[0] == LOOK:
            return await self.show(request, posted)
        id = request.path_params["id"]
        kept = await self._desk.known(id)
        command, asked = decision(posted, request.state.principal.staff)
        wrong = [] if out_of_date(kept.state, command.round) else shortcomings(kept.state, command)
        if wrong:
            raise invalid(explained(wrong))
        know_by_content(request, asked.model_dump_json(), str(command.round))
        await self._desk.obey(request, id, command, asked)
        return see(f"{QUEUE}?selesai={id}")


class AdviceForm(_RequestForm):
    """The advice to reject, which asks for nothing but the reason."""

    async def show(self, request: Request, posted: Posted) -> Response:
        cursor = await self._desk.store.latest_change()
        kept = await self._desk.known(request.path_params["id"])
        posted = self._noticed(kept, posted) if posted.text("reason").strip() else posted
        return self._page(
            request,
            "recommendation.html",
            posted=posted,
            request=self._told(kept),
            open=kept.state.status is Status.SUBMITTED and recommendation(kept.state) is None,
            round=round_of(posted, kept.state.course.round),
            cursor=cursor,
            waiting=await self._waiting(),
        )

    async def act(self, request: Request, posted: Posted) -> Response:
        if posted.button == LOOK:
            return await self.show(request, posted)
        id = request.path_params["id"]
        asked = posted.judged(Recommendation, "round")
        now = (await self._desk.known(id)).state.course.round
        command = RecommendRejection(request.state.principal.staff, asked.reason, round_of(posted, now))
        know_by_content(request, asked.reason, str(command.round))
        await self._desk.obey(request, id, command, asked)
        return see(f"{QUEUE}?selesai={id}")


def know_by_content(request: Request, *content: str) -> None:
    """The same form sent with another content, as after going back, is another decision, and meets what was decided first."""
    if request.state.form_key:
        request.state.form_key = digest_of(request.state.form_key, *content)
