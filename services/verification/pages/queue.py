"""The page of the queue: lists by status with their counts, what was searched for, and what was just decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from services.verification.domain.decisions import recommendation
from services.verification.domain.state import State
from services.verification.errors import WORDS
from services.verification.presenters import line
from services.verification.projections import find_requests, queue_cursor
from services.verification.schemas import ALL_LIST, OPEN_LIST, QueuePageQuery
from services.verification.service import VerificationService
from shared.calendar import today
from shared.contracts.lifecycle import Status
from shared.identity.service import Principal
from shared.runtime.executor import Loaded
from shared.storage.port import RecordQuery
from shared.web.api.lists import page_response
from shared.web.views.formats import format_weekday_date
from shared.web.views.labels import SCOPE_LABELS, scope_label
from shared.web.views.rendering import Templates
from shared.web.views.words import fill
from shared.work_units import WORK_UNITS

QUEUE_PATH = "/verifikasi"
LIST_NAMES = (Status.SUBMITTED.value, Status.RETURNED.value, Status.VERIFIED.value, OPEN_LIST, ALL_LIST)
_words = WORDS.queue

Tab = tuple[str, str, bool, int | None]


@dataclass(frozen=True, slots=True)
class EmptyState:
    """Why a list is empty, and where to go on, if anywhere."""

    title: str
    text: str
    way: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class DecisionNotice:
    """What the officer has just decided, and which request may be next."""

    text: str
    next_number: str = ""
    next_address: str = ""


class Queue:
    """What the page shows, asked of the store anew each time."""

    def __init__(self, desk: VerificationService, page: Templates) -> None:
        self._desk, self._page = desk, page

    async def show(self, request: Request, query: QueuePageQuery, officer: Principal) -> Response:
        desk = self._desk
        # Before the list is read: a change in between is then told twice rather than never.
        cursor = await desk.store.latest_change()
        day = today(desk.platform.clock())
        found = page_response(await desk.executor.find(list_query(query)), lambda loaded: line(loaded, day, desk.rules))
        return self._page(
            request,
            "queue.html",
            query=query,
            lines=found["items"],
            previous=queue_url(query, before=found["previous"]) if found["previous"] else "",
            next=queue_url(query, after=found["next"]) if found["next"] else "",
            tabs=[await self._tab(name, query) for name in LIST_NAMES],
            units=_unit_options(query.unit),
            scopes=[(scope.value, label) for scope, label in SCOPE_LABELS.items()],
            empty=None if found["items"] else await self._empty(query),
            done=await self._done(query.done, officer),
            cursor=cursor,
            waiting={QUEUE_PATH: await desk.waiting()},
        )

    async def _tab(self, name: str, query: QueuePageQuery) -> Tab:
        """The archive has no count: it only grows, and counting it would take longer every year."""
        asked = query.model_copy(update={"status": name})
        count = None if name == ALL_LIST else await self._desk.executor.count(list_query(asked))
        return _words.tab[name], queue_url(asked), name == query.status, count

    async def _empty(self, query: QueuePageQuery) -> EmptyState:
        if query.after or query.before:
            words = _words.empty.beyond
            return EmptyState(words.title, words.text, _words.start, queue_url(query))
        if query.chosen:
            return await self._filtered(query)
        words = _words.empty[query.status if query.status in LIST_NAMES else "other"]
        return EmptyState(words.title, words.text)

    async def _filtered(self, query: QueuePageQuery) -> EmptyState:
        words, unfiltered = _words.empty.filtered, QueuePageQuery(status=query.status)
        count = await self._desk.executor.count(list_query(unfiltered))
        asked = ", ".join(_filter_labels(query))
        named = _words.tab[query.status] if query.status in LIST_NAMES else query.status
        text = fill(words.text if count else words.nothing, asked=asked, tab=named, count=count)
        return EmptyState(words.title, text, _words.lift, queue_url(unfiltered))

    async def _done(self, id: str, officer: Principal) -> DecisionNotice | None:
        """Told from what is stored, so that a reload says the same and a made-up address nothing."""
        loaded = await self._desk.executor.read(id) if id else None
        text = _decision_message(loaded.state, officer) if loaded else ""
        if loaded is None or not text:
            return None
        following = await self._next_request(loaded)
        if following is None:
            return DecisionNotice(f"{text} {WORDS.done.none}")
        return DecisionNotice(text, following.state.number, f"{QUEUE_PATH}/{following.id}")

    async def _next_request(self, loaded: Loaded[State]) -> Loaded[State] | None:
        """The next request that waits: the one that came after this, else the oldest."""
        for after in (queue_cursor(loaded), None):
            find = find_requests(status=Status.SUBMITTED, after=after, limit=2)
            others = [other for other in (await self._desk.executor.find(find)).items if other.id != loaded.id]
            if others:
                return others[0]
        return None


def list_query(query: QueuePageQuery) -> RecordQuery:
    return find_requests(
        status=query.status if query.status not in (OPEN_LIST, ALL_LIST) else "",
        unit=query.unit,
        scope=query.scope or "",
        search=query.search,
        open_only=query.status == OPEN_LIST,
        newest_first=query.status == ALL_LIST,
        after=query.after_key,
        before=query.before_key,
        limit=query.limit,
    )


def queue_url(query: QueuePageQuery, **place: Any) -> str:
    """The page with the same filters, from its beginning or from a place in the list."""
    asked: dict[str, Any] = {"status": query.status} if query.status != Status.SUBMITTED else {}
    asked |= query.chosen | place
    if query.limit != QueuePageQuery.model_fields["limit"].default:
        asked["limit"] = query.limit
    return f"{QUEUE_PATH}?{urlencode(asked)}" if asked else QUEUE_PATH


def _filter_labels(query: QueuePageQuery) -> list[str]:
    given = [f'"{query.search}"' if query.search else "", query.unit, scope_label(query.scope or "")]
    return [text for text in given if text]


def _unit_options(chosen: str) -> list[tuple[str, str]]:
    """The units of the form, and one that an applicant wrote, if it was asked for."""
    names = [unit.name for unit in WORK_UNITS if unit.active]
    return [(name, name) for name in (names if chosen in ("", *names) else [*names, chosen])]


def _decision_message(state: State, officer: Principal) -> str:
    """What this officer decided last on the request, "" if nothing."""
    advice, judgement = recommendation(state), state.judgement
    if advice and advice.by.username == officer.username and not state.decided_by:
        return fill(WORDS.done.recommended, number=state.number)
    if judgement is None or not state.decided_by or judgement.by.username != officer.username:
        return ""
    if judgement.respond_by:
        return fill(WORDS.done.returned, number=state.number, day=format_weekday_date(judgement.respond_by))
    return fill(WORDS.done.verified, number=state.number)
