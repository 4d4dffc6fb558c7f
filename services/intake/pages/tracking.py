"""The tracking page of a request with its receipt and documents, and the page that emails a lost link again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, BackgroundTasks, Depends, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse

from services.intake.dependencies import (
    Intake,
    TrackedRequestOrNone,
    set_tracking_cookie,
    tracking_cookie,
    tracking_path,
)
from services.intake.domain.state import State
from services.intake.pages import not_found_page, templates
from services.intake.pages.messages import problem_with_instructions
from services.intake.presenters import ACTIONS, open_actions, present_form, present_request
from services.intake.schemas import TrackingLinkBody
from services.intake.service import IntakeService
from shared.contracts.assignment import RequestRejected
from shared.contracts.facts import DocumentKind
from shared.contracts.lifecycle import Status
from shared.contracts.request_state import find_document
from shared.web.api import serializers
from shared.web.api.problems import Problem
from shared.web.auth.access import public
from shared.web.forms.posted_form import PostedForm
from shared.web.http.downloads import download
from shared.web.views.formats import format_weekday_date
from shared.web.views.page_routes import PageRoute, add_form_page, see_other
from shared.web.views.qr_code import qr_code

STEP_BY_STATUS: Mapping[Status, int] = {
    Status.SUBMITTED: 1,
    Status.RETURNED: 1,
    Status.VERIFIED: 2,
    Status.ASSIGNED: 3,
    Status.IN_PROGRESS: 3,
    Status.ON_HOLD: 3,
    Status.DELIVERED: 4,
    Status.COMPLETED: len(templates.words.track.steps),
}
"""The current step of the progress bar, from 0; a request that ended early is on none."""
LATEST_ENTRIES = 3
"""Entries of the history that are shown at once; the page folds the earlier ones."""
RESULT_KINDS = frozenset({DocumentKind.RESULT.value, DocumentKind.HANDOVER_RECORD.value})

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class LostLinkPage:
    """The form that emails tracking links again; it does not reveal which addresses are known."""

    def __init__(self, request: Request, intake: Intake, background: BackgroundTasks) -> None:
        self._request = request
        self._intake = intake
        self._background = background

    async def show(self, posted: PostedForm) -> HTMLResponse:
        return templates(self._request, "lost.html", posted=posted, done="dikirim" in self._request.query_params)

    async def submit(self, posted: PostedForm) -> Response:
        try:
            address = posted.validate(TrackingLinkBody).email
        except Problem as problem:
            raise problem_with_instructions(problem) from problem
        self._background.add_task(self._intake.email_tracking_links, address)
        return see_other("/lacak?dikirim")


add_form_page(router, "/lacak", LostLinkPage, public())


@router.get("/lacak/{number}", dependencies=[Depends(public())])
async def track(request: Request, number: str, intake: Intake, kunci: str = "", sudah: str = "") -> Response:
    """Show a request. `kunci` is the token of an emailed link, which becomes a cookie; `sudah` is the last action."""
    loaded = await intake.find_request(number, kunci or tracking_cookie(request, intake))
    if loaded is None:
        return not_found_page(request)
    state = loaded.state
    if kunci:
        response = RedirectResponse(tracking_path(state.number), 303)
        set_tracking_cookie(response, intake, state.number, kunci)
        return response
    return templates(
        request,
        "track.html",
        done_message=_done_message(sudah),
        lead_contact=await _lead_contact(intake, state),
        **_tracking_context(state, intake),
    )


@router.get("/lacak/{number}/diterima", dependencies=[Depends(public())])
async def receipt(request: Request, loaded: TrackedRequestOrNone, intake: Intake) -> Response:
    """Show the receipt with the tracking link."""
    if loaded is None:
        return not_found_page(request)
    link = intake.platform.tracking.link(loaded.id, loaded.state.number)
    qr = qr_code(link, templates.words.received.qr_label)
    return templates(request, "received.html", link=link, qr=qr, **_receipt_context(loaded.state))


@router.get("/lacak/{number}/dokumen/{document_id}", dependencies=[Depends(public())])
async def download_document(
    request: Request, document_id: str, loaded: TrackedRequestOrNone, intake: Intake
) -> Response:
    """Download a document of the request."""
    document = find_document(loaded.state, document_id) if loaded else None
    if loaded is None or document is None:
        return not_found_page(request)
    return await download(request, intake.platform.documents, document, f"the applicant of {loaded.state.number}")


def _done_message(action: str) -> str:
    return str(templates.words.done[action]) if action in (*ACTIONS, "kontak-baru") else ""


def _tracking_context(state: State, intake: IntakeService) -> dict[str, Any]:
    """Return the fields of the API with the texts for them."""
    day = intake.today()
    request = present_request(state, day)
    documents: Sequence[dict[str, Any]] = request["documents"]
    is_delivered = state.status in (Status.DELIVERED, Status.COMPLETED)
    results = [document for document in documents if is_delivered and document["kind"] in RESULT_KINDS]
    return {
        **request,
        "next_step": next_step_text(state, request),
        "rejection_reason": _rejection_reason(state),
        "current_step": STEP_BY_STATUS.get(state.status),
        "actions": open_actions(state, day),
        "latest": LATEST_ENTRIES,
        "results": results,
        "other_documents": [document for document in documents if document not in results],
    }


def next_step_text(state: State, request: Mapping[str, Any]) -> str:
    """Say what happens next and by when; `request` is the presented request."""
    values = {name: format_weekday_date(day) for name, day in request["deadlines"].items()}
    values |= {
        "lead": request["lead"] or "",
        "target": format_weekday_date(state.target_date) if state.target_date else "",
    }
    texts = templates.words.late if request["overdue"] else templates.words.next
    text: str = texts[state.status]
    if request["survey_open"]:
        text = f"{text} {templates.words.track.survey}"
    return text.format(**values)


def _rejection_reason(state: State) -> str:
    if state.status is not Status.REJECTED:
        return ""
    return next((entry.note for entry in state.history if entry.event == RequestRejected.type()), "")


def _receipt_context(state: State) -> dict[str, Any]:
    """Return everything that was submitted last."""
    form = state.form
    if form is None:
        return {}
    return {
        **present_form(form),
        "number": state.number,
        "submitted_at": state.submitted_at,
        "letters": serializers.documents(form.of_kind(DocumentKind.LETTER)),
        "requirements": serializers.documents(form.of_kind(DocumentKind.REQUIREMENT)),
    }


async def _lead_contact(intake: IntakeService, state: State) -> str:
    """Return the lead's email address, "" if the account is no longer active."""
    account = await intake.platform.accounts.account(state.lead.username) if state.lead else None
    return account.email if account and account.active else ""
