"""Where a request stands: the receipt, the page that is followed, its documents, and the link for whoever has lost it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import RedirectResponse

from services.intake.desk import Desk
from services.intake.fields import LostLink
from services.intake.keyed_pages import Keyed, address, not_found, page
from services.intake.queries import ACTIONS, document, open_actions, sent, tracked
from services.intake.state import State
from shared.contracts.assignment import RequestRejected
from shared.contracts.course import Status
from shared.contracts.facts import DocumentKind
from shared.web import shapes
from shared.web.access import public
from shared.web.dates import day_words
from shared.web.downloads import download
from shared.web.page_routes import add_form, see
from shared.web.posted import Posted

STEP_OF: Mapping[Status, int] = {
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


def add_tracking_pages(routes: APIRouter, keyed: Keyed) -> None:
    """Each page asks for the key itself, so that whoever has none meets a page and not a code."""
    desk, everybody = keyed.desk, [Depends(public())]
    add_form(routes, "/lacak", Lost(desk), public())

    @routes.get("/lacak/{number}", dependencies=everybody)
    async def track(request: Request, kunci: str = "", sudah: str = "") -> Response:
        kept = await keyed.opened(request, kunci)
        if kept is None:
            return not_found(request)
        if kunci:
            answer = RedirectResponse(address(kept.state.number), 303)
            keyed.give_key(answer, kept.state.number, kunci)
            return answer
        contact = await contact_of(desk, kept.state)
        return page(request, "track.html", done=what_was_done(sudah), contact=contact, **shown(kept.state, desk))

    @routes.get("/lacak/{number}/diterima", dependencies=everybody)
    async def receipt(request: Request) -> Response:
        kept = await keyed.opened(request)
        if kept is None:
            return not_found(request)
        link = desk.platform.tracking.link(kept.id, kept.state.number)
        return page(request, "received.html", link=link, **received(kept.state))

    @routes.get("/lacak/{number}/dokumen/{document_id}", dependencies=everybody)
    async def download_document(request: Request, document_id: str) -> Response:
        kept = await keyed.opened(request)
        found = document(kept.state, document_id) if kept else None
        if kept is None or found is None:
            return not_found(request)
        who = f"the applicant of {kept.state.number}"
        return await download(request, desk.platform.documents, found, who)


class Lost:
    """The page for whoever has lost the tracking link; nobody learns from it whose address is known."""

    def __init__(self, desk: Desk):
        self._desk = desk

    async def show(self, request: Request, posted: Posted) -> Response:
        return page(request, "lost.html", posted=posted, done="dikirim" in request.query_params)

    async def act(self, request: Request, posted: Posted) -> Response:
        address = posted.judged(LostLink).email
        answer = see("/lacak?dikirim")
        answer.background = self._desk.mailing_links(address)
        return answer


def what_was_done(action: str) -> str:
    """What the page says after an action; "" for anything else that an address may hold."""
    return str(page.words.done[action]) if action in ACTIONS else ""


def shown(state: State, desk: Desk) -> dict[str, Any]:
    """What the template needs: the facts that the API tells, and the words for them."""
    facts = tracked(state, desk.day)
    results = [one for one in facts["documents"] if one["kind"] in RESULTS]
    return {
        **facts,
        "what_next": what_next(state, facts),
        "refusal": reason_of_rejection(state),
        "here": STEP_OF.get(state.status),
        "actions": open_actions(state, desk.day),
        "results": results if state.status is Status.DELIVERED else [],
        "others": facts["documents"] if state.status is not Status.DELIVERED else _without(facts["documents"], results),
    }


RESULTS = frozenset({DocumentKind.RESULT.value, DocumentKind.HANDOVER_RECORD.value})


def _without(documents: list[dict[str, Any]], some: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in documents if one not in some]


def what_next(state: State, facts: Mapping[str, Any]) -> str:
    """What happens next, and by when."""
    words = {name: day_words(day) for name, day in facts["deadlines"].items()}
    words |= {"lead": facts["lead"] or "", "target": day_words(state.target_date) if state.target_date else ""}
    said: str = page.words.late[state.status] if facts["overdue"] else page.words.next[state.status]
    if facts["survey_open"]:
        said = f"{said} {page.words.track.survey}"
    return said.format(**words)


def reason_of_rejection(state: State) -> str:
    """Why the request was rejected; "" for one that was not."""
    if state.status is not Status.REJECTED:
        return ""
    return next((entry.note for entry in state.history if entry.event == RequestRejected.type()), "")


def received(state: State) -> dict[str, Any]:
    """The receipt: everything that counts now, as it was sent last."""
    form = state.form
    if form is None:
        return {}
    return {
        **sent(form),
        "number": state.number,
        "submitted_at": state.submitted_at,
        "letters": shapes.documents(form.of_kind(DocumentKind.LETTER)),
        "requirements": shapes.documents(form.of_kind(DocumentKind.REQUIREMENT)),
    }


async def contact_of(desk: Desk, state: State) -> str:
    """The lead's address, as long as the account is in use."""
    account = await desk.platform.accounts.account(state.lead.username) if state.lead else None
    return account.email if account and account.active else ""
