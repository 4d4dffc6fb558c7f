"""The page of one request with its documents and checklist, and the page that recommends its rejection."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Request, Response
from starlette.responses import HTMLResponse

from services.verification.dependencies import Officer, Verification, require_officer
from services.verification.domain.commands import Decision, RecommendRejection
from services.verification.domain.decisions import checklist_of, checklist_refusals, is_outdated
from services.verification.domain.state import State
from services.verification.pages import QUEUE_PATH
from services.verification.pages.checklist import (
    checklist_errors,
    checklist_rows,
    displayed_corrections,
    displayed_round,
    field_labels,
    find_proofs,
    has_input,
    parse_decision,
)
from services.verification.pages.officer_page import RequestPage
from services.verification.pages.queue import list_links, list_parameters, list_query, list_suffix, parse_list
from services.verification.pages.team import team_context
from services.verification.presenters import viewer_documents
from services.verification.schemas import RecommendationBody
from shared.contracts.lifecycle import Status
from shared.runtime.executor import Loaded
from shared.web.api.idempotency import form_command_context
from shared.web.api.problems import validation_problem
from shared.web.api.serializers import warnings
from shared.web.api.validation import RequestBody
from shared.web.documents.viewer import VIEW_BUTTON, DocumentPaths, build_viewer, is_view_change, requested_state
from shared.web.forms.posted_form import PostedForm
from shared.web.http.downloads import download
from shared.web.office.phrases import PhraseUse, phrases_for
from shared.web.views.employee_number import group_digits
from shared.web.views.page_routes import PageRoute, add_form_page, see_other

router = APIRouter(prefix=QUEUE_PATH, route_class=PageRoute, include_in_schema=False)


@router.get("/{request_id}/dokumen/{document_id}")
async def download_document(
    request_id: str, document_id: str, officer: Officer, request: Request, verification: Verification
) -> Response:
    """Download a document as it was submitted."""
    document = await verification.get_document(request_id, document_id)
    return await download(request, verification.platform.documents, document, officer.username)


class DecisionPage(RequestPage):
    """A page with a form that decides on the request."""

    def _with_conflict(self, loaded: Loaded[State], posted: PostedForm) -> PostedForm:
        """Return the form with a conflict if the request has changed since the form was shown."""
        state = loaded.state
        seen = displayed_round(posted, state.course.round), displayed_corrections(posted, state.corrections)
        if posted.problem or not is_outdated(state, *seen):
            return posted
        return posted.with_problem(self.verification.conflict_problem(loaded))

    def _paths(self) -> DocumentPaths:
        images = f"/api/verification/requests/{self.request_id}/documents"
        return DocumentPaths(images, f"{QUEUE_PATH}/{self.request_id}/dokumen")

    async def _execute(self, command: Decision, body: RequestBody, content: str) -> Response:
        """Execute the command and go to the queue.

        `content` is part of the idempotency key: the same form with other content, as after going back in the browser, is
        another decision, which conflicts with the first.
        """
        context = form_command_context(self.request, content, str(command.round))
        await self.verification.execute(context, self.request_id, command, body)
        return see_other(list_links(parse_list(self.request)).url(selesai=self.request_id))


class ChecklistPage(DecisionPage):
    """A request with its checklist while it awaits an officer, read-only afterwards."""

    async def show(self, posted: PostedForm) -> HTMLResponse:
        cursor = await self.verification.store.latest_change()
        loaded = await self.verification.get_request(self.request_id)
        state, opened_from = loaded.state, parse_list(self.request)
        previews, documents = self.verification.previews, viewer_documents(state)
        shown = replace(requested_state(self.request, posted), others=list_parameters(opened_from))
        viewer = await build_viewer(previews, documents, self._paths(), shown, self.officer.username)
        checklist = checklist_of(state, self.verification.checklists)
        filled = has_input(posted, checklist)
        posted = self._with_conflict(loaded, posted) if filled else replace(posted, texts={})
        is_conflict = posted.problem is not None and "current" in posted.problem.extra
        return await self.render(
            "request.html",
            posted=posted,
            field_labels=field_labels(checklist),
            request=self.request_context(loaded),
            viewer=viewer,
            deciding=state.status is Status.SUBMITTED and not is_conflict,
            filled=filled,
            round=displayed_round(posted, state.course.round),
            corrections=displayed_corrections(posted, state.corrections),
            checks=checklist_rows(state, checklist, posted, await find_proofs(previews, documents)),
            position=await self.verification.list_position(loaded, list_query(opened_from, self.verification.today())),
            from_list=list_suffix(opened_from),
            list_url=list_links(opened_from).url() if list_suffix(opened_from) else QUEUE_PATH,
            warnings=[(warning["code"], warning["message"]) for warning in warnings(state.warnings)],
            employee_number=group_digits(state.applicant.employee_number) if state.applicant else "",
            judgement=state.judgement,
            advised=state.current_recommendation is not None,
            phrases=await phrases_for(self.verification.platform.office, PhraseUse.RETURN),
            **await team_context(self.verification, loaded, self.officer),
            cursor=cursor,
        )

    async def submit(self, posted: PostedForm) -> Response:
        if is_view_change(posted):
            return await self.show(posted)
        state = (await self.verification.get_request(self.request_id)).state
        checklist = checklist_of(state, self.verification.checklists)
        command, body = parse_decision(posted, self.officer.staff, checklist)
        is_current = not is_outdated(state, command.round, command.corrections)
        if is_current and (refusals := checklist_refusals(state, command, checklist)):
            raise validation_problem(checklist_errors(refusals, checklist))
        return await self._execute(command, body, body.model_dump_json())


class RecommendationPage(DecisionPage):
    """The form that recommends a rejection; it only asks for the reason."""

    async def show(self, posted: PostedForm) -> HTMLResponse:
        cursor = await self.verification.store.latest_change()
        loaded = await self.verification.get_request(self.request_id)
        state = loaded.state
        posted = self._with_conflict(loaded, posted) if posted.text("reason").strip() else posted
        return await self.render(
            "recommendation.html",
            phrases=await phrases_for(self.verification.platform.office, PhraseUse.REJECTION),
            posted=posted,
            request=self.request_context(loaded),
            from_list=list_suffix(parse_list(self.request)),
            open=state.status is Status.SUBMITTED and state.current_recommendation is None,
            round=displayed_round(posted, state.course.round),
            corrections=displayed_corrections(posted, state.corrections),
            cursor=cursor,
        )

    async def submit(self, posted: PostedForm) -> Response:
        if posted.button == VIEW_BUTTON:
            return await self.show(posted)
        body = posted.validate(RecommendationBody, "round", "corrections")
        state = (await self.verification.get_request(self.request_id)).state
        seen = displayed_round(posted, state.course.round), displayed_corrections(posted, state.corrections)
        command = RecommendRejection(self.officer.staff, body.reason, *seen)
        return await self._execute(command, body, body.reason)


add_form_page(router, "/{request_id}", ChecklistPage, require_officer)
add_form_page(router, "/{request_id}/rekomendasi", RecommendationPage, require_officer)
