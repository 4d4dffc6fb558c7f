"""The JSON API for applicants. There are no accounts: a call proves access by the tracking token of its request."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

from fastapi import APIRouter, BackgroundTasks, Depends, Request, Response

from services.intake.dependencies import Context, Intake, TrackedRequest
from services.intake.domain.commands import (
    AnswerQuestion,
    AnswerSurvey,
    ConfirmHandover,
    ContestHandover,
    WithdrawRequest,
)
from services.intake.presenters import present_request
from services.intake.schemas import (
    RESUBMISSION_FILES,
    SUBMISSION_FILES,
    AnswerBody,
    ContactBody,
    ContactConfirmationBody,
    ReasonBody,
    ResubmissionForm,
    SubmissionForm,
    SubmissionReceipt,
    SurveyBody,
    TrackedRequestResponse,
    TrackingLinkBody,
    UnitListResponse,
    validation_context,
)
from shared.contracts.request_state import find_document
from shared.runtime.decider import Refusal
from shared.web.api import serializers
from shared.web.api.commands import CommandResponse, command_result
from shared.web.api.live import live
from shared.web.api.openapi import DOWNLOAD_RESPONSES, STREAM_RESPONSES, multipart_request_body
from shared.web.api.validation import EmptyBody
from shared.web.auth.access import GuardedRoute, public
from shared.web.forms.uploads import read_form
from shared.web.http.client_address import client_address, client_network
from shared.web.http.downloads import download
from shared.web.http.upload_budget import charge_stored_documents
from shared.work_units import WORK_UNITS

router = APIRouter(prefix="/api", tags=["intake"], route_class=GuardedRoute)


@router.get("/units", response_model=UnitListResponse, dependencies=[Depends(public())])
async def list_units() -> dict[str, Any]:
    """List the work units that a form offers; any other name may be written instead."""
    return {"items": [asdict(unit) for unit in WORK_UNITS if unit.active]}


@router.post("/links", dependencies=[Depends(public())])
async def mail_links(body: TrackingLinkBody, intake: Intake, background: BackgroundTasks) -> EmptyBody:
    """Email the tracking links of an address again; the response is the same whether or not the address is known."""
    background.add_task(intake.email_tracking_links, body.email)
    return EmptyBody()


@router.post(
    "/requests",
    status_code=201,
    response_model=SubmissionReceipt,
    dependencies=[Depends(public())],
    openapi_extra=multipart_request_body(SubmissionForm, SUBMISSION_FILES),
)
async def submit(request: Request, intake: Intake, context: Context) -> dict[str, Any]:
    """Submit a new request; the response holds its number and the tracking token."""
    submissions, network = intake.submissions, client_network(client_address(request))
    form_context = validation_context(intake.today())
    async with read_form(request, SubmissionForm, SUBMISSION_FILES, submissions.limits, form_context) as form:
        try:
            result = await submissions.submit(form, context, network, partial(charge_stored_documents, request))
        except Refusal as refusal:
            raise await intake.refusal_problem(refusal) from refusal
    return {
        **command_result(result),
        "tracking_token": intake.platform.tracking.token(result.id),
        "warnings": serializers.warnings(submissions.warnings(form.fields.employee_number)),
    }


@router.post(
    "/requests/{number}/resubmission",
    response_model=CommandResponse,
    openapi_extra=multipart_request_body(ResubmissionForm, RESUBMISSION_FILES),
)
async def resubmit(request: Request, loaded: TrackedRequest, intake: Intake, context: Context) -> dict[str, Any]:
    """Complete a returned request: only what changes, new files, and in `replaces` the documents that they replace."""
    submissions = intake.submissions
    form_context = validation_context(intake.today(), loaded.state.form)
    async with read_form(request, ResubmissionForm, RESUBMISSION_FILES, submissions.limits, form_context) as form:
        try:
            result = await submissions.resubmit(loaded, form, context, partial(charge_stored_documents, request))
        except Refusal as refusal:
            raise await intake.refusal_problem(refusal, loaded.id) from refusal
    return command_result(result)


@router.patch(
    "/requests/{number}",
    response_model=CommandResponse,
    openapi_extra=multipart_request_body(ResubmissionForm, RESUBMISSION_FILES),
)
async def correct(request: Request, loaded: TrackedRequest, intake: Intake, context: Context) -> dict[str, Any]:
    """Correct the request before anybody has begun to check it: only what changes, with files as in a resubmission."""
    submissions, network = intake.submissions, client_network(client_address(request))
    form_context = validation_context(intake.today(), loaded.state.form)
    charge = partial(charge_stored_documents, request)
    async with read_form(request, ResubmissionForm, RESUBMISSION_FILES, submissions.limits, form_context) as form:
        try:
            result = await submissions.correct_with_files(loaded, form, context, network, charge)
        except Refusal as refusal:
            raise await intake.refusal_problem(refusal, loaded.id) from refusal
    return command_result(result)


@router.get("/requests/{number}", response_model=TrackedRequestResponse, response_model_exclude_unset=True)
async def track(loaded: TrackedRequest, intake: Intake) -> dict[str, Any]:
    """Show the request: status, timeline, open items, deadlines and documents."""
    return {"id": loaded.id, "version": loaded.version, **present_request(loaded.state, intake.today())}


@router.get("/requests/{number}/documents/{document_id}", response_class=Response, responses=DOWNLOAD_RESPONSES)
async def download_document(document_id: str, request: Request, loaded: TrackedRequest, intake: Intake) -> Response:
    """Download a document of the request as an attachment."""
    reader = f"the applicant of {loaded.state.number}"
    return await download(request, intake.platform.documents, find_document(loaded.state, document_id), reader)


@router.get("/intake/live", response_class=Response, responses=STREAM_RESPONSES)
async def follow(request: Request, loaded: TrackedRequest, intake: Intake) -> Response:
    """Stream server-sent events: the versions that the request with `number` changes to."""

    async def allowed(request_id: str, _version: int) -> dict[str, Any] | None:
        current = await intake.executor.read(request_id) if request_id == loaded.id else None
        return serializers.change_notice(current.state.number, current.state.status) if current else None

    return await live(request, intake.store, allowed, reader=loaded.id)


@router.post("/requests/{number}/contact", response_model=CommandResponse)
async def change_contact(
    body: ContactBody, request: Request, loaded: TrackedRequest, intake: Intake, context: Context
) -> dict[str, Any]:
    """Request another email address or phone; both take effect when the new address confirms them."""
    return await intake.change_contact(context, loaded, body, client_network(client_address(request)))


@router.post(
    "/requests/{number}/contact/confirmation",
    response_model=CommandResponse,
    responses={403: {"description": "The code is not that of the change"}},
)
async def confirm_contact(
    body: ContactConfirmationBody, loaded: TrackedRequest, intake: Intake, context: Context
) -> dict[str, Any]:
    """Confirm a change of contact with the code that was mailed to the new address."""
    return await intake.confirm_contact(context, loaded, body)


@router.post("/requests/{number}/withdrawal", response_model=CommandResponse)
async def withdraw(body: ReasonBody, loaded: TrackedRequest, intake: Intake, context: Context) -> dict[str, Any]:
    """Withdraw the request before anything was delivered."""
    return await intake.execute(context, loaded, WithdrawRequest(body.reason), body)


@router.post("/requests/{number}/answer", response_model=CommandResponse)
async def answer(body: AnswerBody, loaded: TrackedRequest, intake: Intake, context: Context) -> dict[str, Any]:
    """Answer the lead's question, so that work resumes."""
    return await intake.execute(context, loaded, AnswerQuestion(body.text), body)


@router.post("/requests/{number}/confirmation", response_model=CommandResponse)
async def confirm(
    loaded: TrackedRequest, intake: Intake, context: Context, _body: EmptyBody | None = None
) -> dict[str, Any]:
    """Confirm the delivery; a body is not needed."""
    return await intake.execute(context, loaded, ConfirmHandover())


@router.post("/requests/{number}/objection", response_model=CommandResponse)
async def contest(body: ReasonBody, loaded: TrackedRequest, intake: Intake, context: Context) -> dict[str, Any]:
    """Object to the delivery, so that work resumes."""
    return await intake.execute(context, loaded, ContestHandover(body.reason), body)


@router.post("/requests/{number}/survey", response_model=CommandResponse)
async def survey(body: SurveyBody, loaded: TrackedRequest, intake: Intake, context: Context) -> dict[str, Any]:
    """Answer the satisfaction survey, once."""
    return await intake.execute(context, loaded, AnswerSurvey(body.answers, body.comment), body)
