"""The pages of dead letters, for administrators: list, detail, replay and discard."""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from shared.identity.accounts import Role
from shared.identity.principal import Principal
from shared.storage.port import DeadLetter
from shared.web.admin.admin_pages import AdminTemplates
from shared.web.admin.dead_letter_api import DeadLetterService
from shared.web.api.problems import Problem
from shared.web.auth.access import signed_in
from shared.web.dependencies import BoundRouter, provide
from shared.web.forms.posted_form import PostedForm
from shared.web.views.labels import EVENT_LABELS
from shared.web.views.page_routes import PageRoute, add_form_action, add_form_page, see_other

logger = logging.getLogger(__name__)

PATH = "/kejadian-tertunda"
RESULT = "hasil"
MAX_NAME_CHARACTERS = 60
MAX_ROWS = 100
"""Rows of the list; of more dead letters the first ones have to be resolved first."""

ADMIN = signed_in(Role.ADMIN)
Admin = Annotated[Principal, Depends(ADMIN)]
DeadLetters = Annotated[DeadLetterService, Depends(provide(DeadLetterService))]

templates = AdminTemplates("shared.web.views")
router = APIRouter(route_class=PageRoute, include_in_schema=False)


def pages(dead_letters: DeadLetterService) -> APIRouter:
    """Return the routes under /kejadian-tertunda."""
    return BoundRouter(router, services=(dead_letters,))


@router.get(PATH, dependencies=[Depends(ADMIN)])
async def list_dead_letters(request: Request, dead_letters: DeadLetters) -> Response:
    parked = await dead_letters.all()
    rows = [
        (letter, address(letter), await dead_letters.number(letter), event_name(letter.event))
        for letter in parked[:MAX_ROWS]
    ]
    done = templates.words.dead_letters.done.get(request.query_params.get(RESULT, ""))
    return await templates(request, "dead_letters.html", rows=rows, count=len(parked), done=done)


@router.get(f"{PATH}/{{letter_id}}")
async def show_dead_letter(request: Request, letter_id: str, dead_letters: DeadLetters, admin: Admin) -> Response:
    return await _show(request, dead_letters, letter_id, admin, PostedForm())


async def _show(
    request: Request, dead_letters: DeadLetterService, letter_id: str, admin: Principal, posted: PostedForm
) -> Response:
    letter = await dead_letters.find(letter_id)
    logger.info("%s looked at the event of dead letter %s", admin.username, letter.id)
    context = await _context(dead_letters, letter)
    return await templates(request, "dead_letter.html", posted=posted, event=format_event(letter.event), **context)


async def _context(dead_letters: DeadLetterService, letter: DeadLetter) -> dict[str, Any]:
    number = await dead_letters.number(letter)
    return {"dead_letter": letter, "address": address(letter), "number": number, "event_name": event_name(letter.event)}


class DeadLetterAction(ABC):
    """What an administrator does with a dead letter."""

    def __init__(self, request: Request, letter_id: str, dead_letters: DeadLetters, admin: Admin) -> None:
        self._request, self._letter_id = request, letter_id
        self._dead_letters, self._admin = dead_letters, admin

    async def submit(self, _posted: PostedForm) -> Response:
        """Act on the dead letter, unless another administrator, or the same form sent before, has resolved it."""
        try:
            letter = await self._dead_letters.find(self._letter_id)
        except Problem:
            return see_other(f"{PATH}?{RESULT}=tiada")
        return see_other(f"{PATH}?{RESULT}={await self._resolve(letter)}")

    @abstractmethod
    async def _resolve(self, letter: DeadLetter) -> str:
        """Return the key of the message about what was done."""


class ReplayAction(DeadLetterAction):
    """The button that replays a dead letter."""

    async def show(self, posted: PostedForm) -> Response:
        return await _show(self._request, self._dead_letters, self._letter_id, self._admin, posted)

    async def _resolve(self, letter: DeadLetter) -> str:
        remaining = await self._dead_letters.replay(letter)
        logger.info("%s replayed dead letter %s", self._admin.username, letter.id)
        if any(other.id == letter.id for other in remaining):
            raise Problem(409, templates.words.dead_letters.still.format(reason=remaining[0].reason))
        return "diproses"


class DiscardPage(DeadLetterAction):
    """The page that confirms that a dead letter is discarded."""

    async def show(self, posted: PostedForm) -> Response:
        letter = await self._dead_letters.find(self._letter_id)
        context = await _context(self._dead_letters, letter)
        return await templates(self._request, "discard.html", posted=posted, **context)

    async def _resolve(self, letter: DeadLetter) -> str:
        remaining = await self._dead_letters.discard(letter)
        logger.info("%s discarded dead letter %s", self._admin.username, letter.id)
        return "sisa" if remaining else "dibuang"


def address(letter: DeadLetter) -> str:
    return f"{PATH}/{quote(letter.id, safe='')}"


def event_name(event: bytes) -> str:
    """Return the label of an event's type; an unknown type is returned as it is."""
    try:
        payload = json.loads(event)
    except (ValueError, RecursionError):
        payload = None
    kind = payload.get("type") if isinstance(payload, dict) else None
    if not isinstance(kind, str) or not kind:
        return str(templates.words.dead_letters.unreadable)
    return EVENT_LABELS.get(kind) or _escape_unprintable(kind[:MAX_NAME_CHARACTERS])


def format_event(event: bytes) -> str:
    """Return the event as indented JSON, or else its bytes as text, without unprintable characters."""
    try:
        text = json.dumps(json.loads(event), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = event.decode(errors="backslashreplace")
    return _escape_unprintable(text)


def _escape_unprintable(text: str) -> str:
    return "".join(letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1] for letter in text)


add_form_action(router, f"{PATH}/{{letter_id}}/proses-ulang", ReplayAction, ADMIN)
add_form_page(router, f"{PATH}/{{letter_id}}/buang", DiscardPage, ADMIN)
