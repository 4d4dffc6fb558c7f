"""The pages of officers: the queue, a request beside its documents with the decision on it, and the advice to reject."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from services.verification.domain.commands import RecommendRejection
from services.verification.domain.decisions import checklist_refusals, is_outdated, recommendation
from services.verification.domain.state import State
from services.verification.pages.checklist import (
    FIELD_LABELS,
    checklist_errors,
    displayed_round,
    has_input,
    note_field,
    parse_decision,
    verdict_field,
)
from services.verification.pages.document_viewer import LOOK_BUTTON, build_viewer, requested_page
from services.verification.pages.queue import QUEUE_PATH, Queue
from services.verification.presenters import full, line
from services.verification.schemas import QueuePageQuery, Recommendation
from services.verification.service import VerificationService
from shared.calendar import today
from shared.contracts.facts import ChecklistItem
from shared.contracts.lifecycle import Status
from shared.identity.accounts import Role
from shared.identity.service import Principal
from shared.runtime.executor import Loaded
from shared.web.api.idempotency import request_digest
from shared.web.api.problems import validation_problem
from shared.web.api.serializers import warnings
from shared.web.auth.access import signed_in
from shared.web.forms.posted_form import PostedForm
from shared.web.http.downloads import download
from shared.web.views.employee_number import group_digits
from shared.web.views.labels import CHECKLIST_LABELS
from shared.web.views.page_routes import PageRoute, add_form, see_other
from shared.web.views.rendering import Templates

CHECKLIST_ROWS = [(verdict_field(item), note_field(item), CHECKLIST_LABELS[item], item.value) for item in ChecklistItem]
"""Each line of the checklist: its two fields, what it says, and its code."""

OFFICER = signed_in(Role.OFFICER)
Officer = Annotated[Principal, Depends(OFFICER)]


def router(desk: VerificationService) -> APIRouter:
    """Routes under /verifikasi."""
    routes = APIRouter(prefix=QUEUE_PATH, route_class=PageRoute, include_in_schema=False)
    page = Templates("services.verification")
    queue = Queue(desk, page)

    @routes.get("")
    async def show_queue(query: Annotated[QueuePageQuery, Query()], officer: Officer, request: Request) -> Response:
        return await queue.show(request, query, officer)

    @routes.get("/{id}/dokumen/{document_id}")
    async def download_document(id: str, document_id: str, officer: Officer, request: Request) -> Response:
        document = await desk.document(id, document_id)
        return await download(request, desk.platform.documents, document, officer.username)

    add_form(routes, "/{id}", ChecklistPage(desk, page), OFFICER)
    add_form(routes, "/{id}/rekomendasi", RecommendationPage(desk, page), OFFICER)
    return routes


class _RequestPage:
    """What both forms about one request have in common."""

    def __init__(self, desk: VerificationService, page: Templates) -> None:
        self._desk, self._page = desk, page

    def _request_context(self, loaded: Loaded[State]) -> dict[str, Any]:
        """The request in full, with the day that is waited for."""
        day = today(self._desk.platform.clock())
        return {**line(loaded, day, self._desk.rules), **full(loaded, day, self._desk.rules)}

    def _with_conflict(self, loaded: Loaded[State], posted: PostedForm) -> PostedForm:
        """What was filled in, with the news if the request has changed since."""
        stale = is_outdated(loaded.state, displayed_round(posted, loaded.state.course.round))
        return posted.with_problem(self._desk.conflict(loaded)) if stale and not posted.problem else posted

    async def _waiting(self) -> dict[str, int]:
        return {QUEUE_PATH: await self._desk.waiting()}


class ChecklistPage(_RequestPage):
    """A request with everything that was sent, to be judged as long as it waits for that and to be read ever after."""

    async def show(self, request: Request, posted: PostedForm) -> Response:
        cursor = await self._desk.store.latest_change()
        loaded = await self._desk.known(request.path_params["id"])
        viewer = await build_viewer(self._desk, loaded, *requested_page(request, posted))
        filled = has_input(posted)
        posted = self._with_conflict(loaded, posted) if filled else replace(posted, texts={})
        conflict = posted.problem is not None and "current" in posted.problem.extra
        return self._page(
            request,
            "request.html",
            posted=posted,
            field_labels=FIELD_LABELS,
            request=self._request_context(loaded),
            viewer=viewer,
            deciding=loaded.state.status is Status.SUBMITTED and not conflict,
            filled=filled,
            round=displayed_round(posted, loaded.state.course.round),
            checks=CHECKLIST_ROWS,
            warnings=[(each["code"], each["message"]) for each in warnings(loaded.state.warnings)],
            employee_number=group_digits(loaded.state.applicant.employee_number) if loaded.state.applicant else "",
            judgement=loaded.state.judgement,
            advised=recommendation(loaded.state) is not None,
            cursor=cursor,
            waiting=await self._waiting(),
        )

    async def act(self, request: Request, posted: PostedForm) -> Response:
        if posted.button.partition(":")[0] == LOOK_BUTTON:
            return await self.show(request, posted)
        id = request.path_params["id"]
        loaded = await self._desk.known(id)
        command, asked = parse_decision(posted, request.state.principal.staff)
        wrong = [] if is_outdated(loaded.state, command.round) else checklist_refusals(loaded.state, command)
        if wrong:
            raise validation_problem(checklist_errors(wrong))
        key_by_content(request, asked.model_dump_json(), str(command.round))
        await self._desk.execute_command(request, id, command, asked)
        return see_other(f"{QUEUE_PATH}?selesai={id}")


class RecommendationPage(_RequestPage):
    """The advice to reject, which asks for nothing but the reason."""

    async def show(self, request: Request, posted: PostedForm) -> Response:
        cursor = await self._desk.store.latest_change()
        loaded = await self._desk.known(request.path_params["id"])
        posted = self._with_conflict(loaded, posted) if posted.text("reason").strip() else posted
        return self._page(
            request,
            "recommendation.html",
            posted=posted,
            request=self._request_context(loaded),
            open=loaded.state.status is Status.SUBMITTED and recommendation(loaded.state) is None,
            round=displayed_round(posted, loaded.state.course.round),
            cursor=cursor,
            waiting=await self._waiting(),
        )

    async def act(self, request: Request, posted: PostedForm) -> Response:
        if posted.button == LOOK_BUTTON:
            return await self.show(request, posted)
        id = request.path_params["id"]
        asked = posted.validate(Recommendation, "round")
        now = (await self._desk.known(id)).state.course.round
        command = RecommendRejection(request.state.principal.staff, asked.reason, displayed_round(posted, now))
        key_by_content(request, asked.reason, str(command.round))
        await self._desk.execute_command(request, id, command, asked)
        return see_other(f"{QUEUE_PATH}?selesai={id}")


def key_by_content(request: Request, *content: str) -> None:
    """The same form sent with another content, as after going back, is another decision, and meets what was decided first."""
    if request.state.form_key:
        request.state.form_key = request_digest(request.state.form_key, *content)
