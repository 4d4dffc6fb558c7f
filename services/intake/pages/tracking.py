"""Where a request stands: the receipt, the page that is followed, its documents, and the link for whoever has lost it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import RedirectResponse

from services.intake.domain.state import State
from services.intake.pages.request_pages import TrackingAccess, address, not_found_page, page
from services.intake.presenters import ACTIONS, document, open_actions, submitted_form, tracked
from services.intake.schemas import TrackingLinkBody
from services.intake.service import IntakeService
from shared.contracts.assignment import RequestRejected
from shared.contracts.facts import DocumentKind
from shared.contracts.lifecycle import Status
from shared.web.api import serializers
from shared.web.auth.access import public
from shared.web.forms.posted_form import PostedForm
from shared.web.http.downloads import download
from shared.web.views.formats import format_weekday_date
from shared.web.views.page_routes import add_form, see_other

STEP_BY_STATUS: Mapping[Status, int] = {
    Status.SUBMITTED: 1,
    Status.RETURNED: 1,
    Status.VERIFIED: 2,
    Status.ASSIGNED: 3,
    Status.IN_PROGRESS: 3,
    Status.ON_HOLD: 3,
    Status.DELIVERED: 4,
    Status.COMPLETED: len(page.words.track.steps),
}
"""The step that is being taken; those before it are done. A request that ended early is on none."""


def add_tracking_routes(routes: APIRouter, keyed: TrackingAccess) -> None:
    """Each page asks for the key itself, so that whoever has none meets a page and not a code."""
    desk, everybody = keyed.desk, [Depends(public())]
    add_form(routes, "/lacak", LostLinkPage(desk), public())

    @routes.get("/lacak/{number}", dependencies=everybody)
    async def track(request: Request, kunci: str = "", sudah: str = "") -> Response:
        loaded = await keyed.opened(request, kunci)
        if loaded is None:
            return not_found_page(request)
        if kunci:
            answer = RedirectResponse(address(loaded.state.number), 303)
            keyed.set_tracking_cookie(answer, loaded.state.number, kunci)
            return answer
        contact = await lead_contact(desk, loaded.state)
        return page(
            request, "track.html", done=done_message(sudah), contact=contact, **tracking_context(loaded.state, desk)
        )

    @routes.get("/lacak/{number}/diterima", dependencies=everybody)
    async def receipt(request: Request) -> Response:
        loaded = await keyed.opened(request)
        if loaded is None:
            return not_found_page(request)
        link = desk.platform.tracking.link(loaded.id, loaded.state.number)
        return page(request, "received.html", link=link, **receipt_context(loaded.state))

    @routes.get("/lacak/{number}/dokumen/{document_id}", dependencies=everybody)
    async def download_document(request: Request, document_id: str) -> Response:
        loaded = await keyed.opened(request)
        found = document(loaded.state, document_id) if loaded else None
        if loaded is None or found is None:
            return not_found_page(request)
        who = f"the applicant of {loaded.state.number}"
        return await download(request, desk.platform.documents, found, who)


class LostLinkPage:
    """The page for whoever has lost the tracking link; nobody learns from it whose address is known."""

    def __init__(self, desk: IntakeService) -> None:
        self._desk = desk

    async def show(self, request: Request, posted: PostedForm) -> Response:
        return page(request, "lost.html", posted=posted, done="dikirim" in request.query_params)

    async def act(self, request: Request, posted: PostedForm) -> Response:
        address = posted.validate(TrackingLinkBody).email
        answer = see_other("/lacak?dikirim")
        answer.background = self._desk.link_email_task(address)
        return answer


def done_message(action: str) -> str:
    """What the page says after an action; "" for anything else that an address may hold."""
    return str(page.words.done[action]) if action in ACTIONS else ""


def tracking_context(state: State, desk: IntakeService) -> dict[str, Any]:
    """What the template needs: the facts that the API tells, and the words for them."""
    facts = tracked(state, desk.day)
    results = [one for one in facts["documents"] if one["kind"] in RESULT_KINDS]
    return {
        **facts,
        "what_next": next_step_text(state, facts),
        "refusal": rejection_reason(state),
        "here": STEP_BY_STATUS.get(state.status),
        "actions": open_actions(state, desk.day),
        "results": results if state.status is Status.DELIVERED else [],
        "others": facts["documents"] if state.status is not Status.DELIVERED else _without(facts["documents"], results),
    }


RESULT_KINDS = frozenset({DocumentKind.RESULT.value, DocumentKind.HANDOVER_RECORD.value})


def _without(documents: list[dict[str, Any]], excluded: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in documents if one not in excluded]


def next_step_text(state: State, facts: Mapping[str, Any]) -> str:
    """What happens next, and by when."""
    words = {name: format_weekday_date(day) for name, day in facts["deadlines"].items()}
    words |= {
        "lead": facts["lead"] or "",
        "target": format_weekday_date(state.target_date) if state.target_date else "",
    }
    text: str = page.words.late[state.status] if facts["overdue"] else page.words.next[state.status]
    if facts["survey_open"]:
        text = f"{text} {page.words.track.survey}"
    return text.format(**words)


def rejection_reason(state: State) -> str:
    """Why the request was rejected; "" for one that was not."""
    if state.status is not Status.REJECTED:
        return ""
    return next((entry.note for entry in state.history if entry.event == RequestRejected.type()), "")


def receipt_context(state: State) -> dict[str, Any]:
    """The receipt: everything that counts now, as it was sent last."""
    form = state.form
    if form is None:
        return {}
    return {
        **submitted_form(form),
        "number": state.number,
        "submitted_at": state.submitted_at,
        "letters": serializers.documents(form.of_kind(DocumentKind.LETTER)),
        "requirements": serializers.documents(form.of_kind(DocumentKind.REQUIREMENT)),
    }


async def lead_contact(desk: IntakeService, state: State) -> str:
    """The lead's address, as long as the account is in use."""
    account = await desk.platform.accounts.account(state.lead.username) if state.lead else None
    return account.email if account and account.active else ""
