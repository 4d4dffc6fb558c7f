"""The pages of dead letters, for administrators: what is parked, each with its event, to be replayed or given up."""

from __future__ import annotations

import json
import logging
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from shared.identity.accounts import Role
from shared.identity.service import Principal
from shared.storage.port import DeadLetter
from shared.web.admin.admin_pages import AdminTemplates
from shared.web.admin.dead_letter_api import DeadLetterService
from shared.web.api.problems import Problem
from shared.web.auth.access import signed_in
from shared.web.forms.posted_form import PostedForm
from shared.web.views.labels import EVENT_LABELS
from shared.web.views.page_routes import PageRoute, add_action, add_form, see_other

logger = logging.getLogger(__name__)

_page = AdminTemplates("shared.web.views")

PATH = "/kejadian-tertunda"
RESULT = "hasil"
MAX_NAME_CHARACTERS = 60
MAX_ROWS = 100
"""Rows of the list; who has more of them mends the first ones first."""

Admin = Annotated[Principal, Depends(signed_in(Role.ADMIN))]


def pages(letters: DeadLetterService) -> APIRouter:
    """Routes under /kejadian-tertunda."""
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)

    @routes.get(PATH)
    async def list_page(request: Request, admin: Admin) -> Response:
        parked_letters = await letters.all()
        rows = [
            (one, address(one), await letters.number(one), event_name(one.event)) for one in parked_letters[:MAX_ROWS]
        ]
        result = request.query_params.get(RESULT, "")
        done = _page.words.dead_letters.done.get(result)
        return await _page(request, "dead_letters.html", rows=rows, count=len(parked_letters), done=done)

    @routes.get(f"{PATH}/{{letter_id}}")
    async def detail_page(request: Request, letter_id: str, admin: Admin) -> Response:
        return await _shown(request, letters, letter_id, PostedForm())

    add_action(routes, f"{PATH}/{{letter_id}}/proses-ulang", Replay(letters), signed_in(Role.ADMIN))
    add_form(routes, f"{PATH}/{{letter_id}}/buang", Discard(letters), signed_in(Role.ADMIN))
    return routes


async def _shown(request: Request, letters: DeadLetterService, letter_id: str, posted: PostedForm) -> Response:
    letter = await letters.find(letter_id)
    logger.info("%s looked at the event of dead letter %s", request.state.principal.username, letter.id)
    facts = await _context(letters, letter)
    return await _page(request, "dead_letter.html", posted=posted, event=format_event(letter.event), **facts)


async def _context(letters: DeadLetterService, letter: DeadLetter) -> dict[str, Any]:
    number = await letters.number(letter)
    return {"letter": letter, "address": address(letter), "number": number, "event_name": event_name(letter.event)}


class Replay:
    def __init__(self, letters: DeadLetterService) -> None:
        self._letters = letters

    async def show(self, request: Request, posted: PostedForm) -> Response:
        return await _shown(request, self._letters, request.path_params["letter_id"], posted)

    async def act(self, request: Request, posted: PostedForm) -> Response:
        letter = await _find_parked(self._letters, request)
        if letter is None:
            return see_other(f"{PATH}?{RESULT}=tiada")
        remaining = await self._letters.replay(letter)
        logger.info("%s replayed dead letter %s", request.state.principal.username, letter.id)
        if any(one.id == letter.id for one in remaining):
            raise Problem(409, _page.words.dead_letters.still.format(reason=remaining[0].reason))
        return see_other(f"{PATH}?{RESULT}=diproses")


class Discard:
    def __init__(self, letters: DeadLetterService) -> None:
        self._letters = letters

    async def show(self, request: Request, posted: PostedForm) -> Response:
        letter = await self._letters.find(request.path_params["letter_id"])
        return await _page(request, "discard.html", posted=posted, **await _context(self._letters, letter))

    async def act(self, request: Request, posted: PostedForm) -> Response:
        letter = await _find_parked(self._letters, request)
        if letter is None:
            return see_other(f"{PATH}?{RESULT}=tiada")
        remaining = await self._letters.discard(letter)
        logger.info("%s discarded dead letter %s", request.state.principal.username, letter.id)
        return see_other(f"{PATH}?{RESULT}={'sisa' if remaining else 'dibuang'}")


async def _find_parked(letters: DeadLetterService, request: Request) -> DeadLetter | None:
    """None for one that somebody else has dealt with, or this form when it was sent before."""
    try:
        return await letters.find(request.path_params["letter_id"])
    except Problem:
        return None


def address(letter: DeadLetter) -> str:
    return f"{PATH}/{quote(letter.id, safe='')}"


def event_name(event: bytes) -> str:
    """What happened, in words; a type that nobody here has words for is told as it is."""
    try:
        payload = json.loads(event)
    except (ValueError, RecursionError):
        payload = None
    kind = payload.get("type") if isinstance(payload, dict) else None
    if not isinstance(kind, str) or not kind:
        return str(_page.words.dead_letters.unreadable)
    return EVENT_LABELS.get(kind) or _escape_unprintable(kind[:MAX_NAME_CHARACTERS])


def format_event(event: bytes) -> str:
    """The event line by line if it is JSON, else its bytes as far as they are text; nothing that cannot be shown."""
    try:
        text = json.dumps(json.loads(event), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = event.decode(errors="backslashreplace")
    return _escape_unprintable(text)


def _escape_unprintable(text: str) -> str:
    return "".join(letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1] for letter in text)
