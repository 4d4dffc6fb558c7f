"""The page of the queue: lists by status with their counts, what was searched for, and what was just decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from services.verification.desk import Desk
from services.verification.domain import State, recommendation
from services.verification.fields import ALL, OPEN, BoardQuery
from services.verification.queries import find_requests, line, place_in_queue
from services.verification.sentences import WORDS
from shared.calendar import today
from shared.contracts.course import Status
from shared.identity.identity import Principal
from shared.runtime.execution import Kept
from shared.storage.port import Find
from shared.web.dates import day_words
from shared.web.labels import SCOPE_LABELS, scope_label
from shared.web.lists import page_of
from shared.web.rendering import Pages
from shared.web.units import UNITS
from shared.web.words import fill

QUEUE = "/verifikasi"
LISTS = (Status.SUBMITTED.value, Status.RETURNED.value, Status.VERIFIED.value, OPEN, ALL)
_words = WORDS.queue

Tab = tuple[str, str, bool, int | None]


@dataclass(frozen=True, slots=True)
class Empty:
    """Why a list is empty, and where to go on, if anywhere."""

    title: str
    text: str
    way: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """What the officer has just decided, and which request may be next."""

    text: str
    next_number: str = ""
    next_address: str = ""


class Queue:
    """What the page shows, asked of the store anew each time."""

    def __init__(self, desk: Desk, page: Pages):
        self._desk, self._page = desk, page

    async def show(self, request: Request, query: BoardQuery, officer: Principal) -> Response:
        desk = self._desk
        # Before the list is read: a change in between is then told twice rather than never.
        cursor = await desk.store.latest_change()
        day = today(desk.platform.clock())
        found = page_of(await desk.executor.find(wanted(query)), lambda kept: line(kept, day, desk.rules))
        return self._page(
            request,
            "queue.html",
            query=query,
            lines=found["items"],
            previous=address_of(query, before=found["previous"]) if found["previous"] else "",
            next=address_of(query, after=found["next"]) if found["next"] else "",
            tabs=[await self._tab(name, query) for name in LISTS],
            units=_unit_choices(query.unit),
            scopes=[(scope.value, label) for scope, label in SCOPE_LABELS.items()],
            empty=None if found["items"] else await self._empty(query),
            done=await self._done(query.done, officer),
            cursor=cursor,
            waiting={QUEUE: await desk.waiting()},
        )

    async def _tab(self, name: str, query: BoardQuery) -> Tab:
        """The archive has no count: it only grows, and counting it would take longer every year."""
        asked = query.model_copy(update={"status": name})
        count = None if name == ALL else await self._desk.executor.count(wanted(asked))
        return _words.tab[name], address_of(asked), name == query.status, count

    async def _empty(self, query: BoardQuery) -> Empty:
        if query.after or query.before:
            words = _words.empty.beyond
            return Empty(words.title, words.text, _words.start, address_of(query))
        if query.chosen:
            return await self._filtered(query)
        words = _words.empty[query.status if query.status in LISTS else "other"]
        return Empty(words.title, words.text)

    async def _filtered(self, query: BoardQuery) -> Empty:
        words, everything = _words.empty.filtered, BoardQuery(status=query.status)
        count = await self._desk.executor.count(wanted(everything))
        asked = ", ".join(_asked(query))
        named = _words.tab[query.status] if query.status in LISTS else query.status
        text = fill(words.text if count else words.nothing, asked=asked, tab=named, count=count)
        return Empty(words.title, text, _words.lift, address_of(everything))

    async def _done(self, id: str, officer: Principal) -> Done | None:
        """Told from what is stored, so that a reload says the same and a made-up address nothing."""
        kept = await self._desk.executor.read(id) if id else None
        text = _decided(kept.state, officer) if kept else ""
        if kept is None or not text:
            return None
        following = await self._after(kept)
        if following is None:
            return Done(f"{text} {WORDS.done.none}")
        return Done(text, following.state.number, f"{QUEUE}/{following.id}")

    async def _after(self, kept: Kept[State]) -> Kept[State] | None:
        """The next request that waits: the one that came after this, else the oldest."""
        for after in (place_in_queue(kept), None):
            find = find_requests(status=Status.SUBMITTED, after=after, limit=2)
            others = [other for other in (await self._desk.executor.find(find)).items if other.id != kept.id]
            if others:
                return others[0]
        return None


def wanted(query: BoardQuery) -> Find:
    return find_requests(
        status=query.status if query.status not in (OPEN, ALL) else "",
        unit=query.unit,
        scope=query.scope or "",
        search=query.search,
        open_only=query.status == OPEN,
        newest_first=query.status == ALL,
        after=query.after_key,
        before=query.before_key,
        limit=query.limit,
    )


def address_of(query: BoardQuery, **place: Any) -> str:
    """The page with the same filters, from its beginning or from a place in the list."""
    asked: dict[str, Any] = {"status": query.status} if query.status != Status.SUBMITTED else {}
    asked |= query.chosen | place
    if query.limit != BoardQuery.model_fields["limit"].default:
        asked["limit"] = query.limit
    return f"{QUEUE}?{urlencode(asked)}" if asked else QUEUE


def _asked(query: BoardQuery) -> list[str]:
    given = [f'"{query.search}"' if query.search else "", query.unit, scope_label(query.scope or "")]
    return [text for text in given if text]


def _unit_choices(chosen: str) -> list[tuple[str, str]]:
    """The units of the form, and one that an applicant wrote, if it was asked for."""
    names = [unit.name for unit in UNITS if unit.active]
    return [(name, name) for name in (names if chosen in ("", *names) else [*names, chosen])]


def _decided(state: State, officer: Principal) -> str:
    """What this officer decided last on the request, "" if nothing."""
    advice, judgement = recommendation(state), state.judgement
    if advice and advice.by.username == officer.username and not state.decided_by:
        return fill(WORDS.done.recommended, number=state.number)
    if judgement is None or not state.decided_by or judgement.by.username != officer.username:
        return ""
    if judgement.respond_by:
        return fill(WORDS.done.returned, number=state.number, day=day_words(judgement.respond_by))
    return fill(WORDS.done.verified, number=state.number)
