"""Dead letters of all services for administrators: the JSON API, and the service that it shares with the pages."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from shared.eventlog.port import LogUnavailable
from shared.identity.accounts import Role
from shared.identity.principal import Principal
from shared.runtime.service_runtime import ServiceRuntime
from shared.storage.port import DeadLetter, StoreUnavailable
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import FieldError, InputModel
from shared.web.auth.access import GuardedRoute, signed_in
from shared.web.dependencies import BoundRouter, provide

Admin = Annotated[Principal, Depends(signed_in(Role.ADMIN))]

NOT_FOUND_DETAIL = "Kejadian tertunda itu tidak ditemukan. Mungkin sudah diproses ulang."


class DeadLetterQuery(InputModel):
    service: str = Field("", max_length=100)


class DeadLetterService:
    """The dead letters of all services, including those that run in other processes."""

    def __init__(self, runtimes: Mapping[str, ServiceRuntime[Any]]) -> None:
        self._runtimes = runtimes

    async def all(self, service: str = "") -> list[DeadLetter]:
        """List dead letters in replay order. Raises Problem 422 for an unknown service."""
        if service and service not in self._runtimes:
            raise validation_problem([FieldError("service", f"Pilih salah satu: {', '.join(self._runtimes)}.")])
        selected = [runtime for name, runtime in self._runtimes.items() if service in ("", name)]
        return [dead_letter for runtime in selected for dead_letter in await runtime.store.dead_letters()]

    async def count(self) -> int:
        return sum([await runtime.store.count_parked() for runtime in self._runtimes.values()])

    async def find(self, letter_id: str) -> DeadLetter:
        """Find a dead letter. Raises Problem 404."""
        service = letter_id.partition(":")[0]
        for dead_letter in await self.all(service) if service in self._runtimes else ():
            if dead_letter.id == letter_id:
                return dead_letter
        raise Problem(404, NOT_FOUND_DETAIL)

    async def number(self, dead_letter: DeadLetter) -> str:
        """The number of its request, "" if the service does not know the request."""
        executor = self._runtimes[dead_letter.service].executor
        loaded = await executor.read(dead_letter.subject)
        return executor.decider.number(loaded.state) if loaded else ""

    async def replay(self, dead_letter: DeadLetter) -> list[DeadLetter]:
        """Process all dead letters of its request again, in order; return those that still fail."""
        runtime = self._runtimes[dead_letter.service]
        remaining = await runtime.dead_letters.replay(dead_letter.subject)
        await _drain_outbox(runtime)
        return remaining

    async def discard(self, dead_letter: DeadLetter) -> list[DeadLetter]:
        """Discard it and replay those behind it; return the remaining dead letters of its request."""
        runtime = self._runtimes[dead_letter.service]
        await runtime.dead_letters.discard(dead_letter)
        await _drain_outbox(runtime)
        return await runtime.store.dead_letters(subject=dead_letter.subject)


async def _drain_outbox(runtime: ServiceRuntime[Any]) -> None:
    """Publish resulting events at once, also if the service runs in another process; otherwise its sweep publishes them."""
    with contextlib.suppress(LogUnavailable, StoreUnavailable):
        await runtime.relay.drain()


class DeadLetterResponse(BaseModel):
    """An event that a service could not process; `request` is the id of its request."""

    id: str
    service: str
    request: str
    position: str
    reason: str
    tries: int
    parked_at: str


class DeadLetterListResponse(BaseModel):
    """Dead letters in the order in which they would be replayed."""

    items: list[DeadLetterResponse]


routes = APIRouter(prefix="/api/dead-letters", tags=["dead letters"], route_class=GuardedRoute)
Service = Annotated[DeadLetterService, Depends(provide(DeadLetterService))]


def router(dead_letters: DeadLetterService) -> APIRouter:
    """Routes under /api/dead-letters."""
    return BoundRouter(routes, services=(dead_letters,))


@routes.get("", response_model=DeadLetterListResponse)
async def list_dead_letters(
    query: Annotated[DeadLetterQuery, Query()], _admin: Admin, dead_letters: Service
) -> dict[str, Any]:
    """List the dead letters in the order in which they would be replayed."""
    return _list_response(await dead_letters.all(query.service))


@routes.post("/{letter_id}/replay", response_model=DeadLetterListResponse)
async def replay(letter_id: str, _admin: Admin, dead_letters: Service) -> dict[str, Any]:
    """Process all dead letters of this event's request again, in order; return those that still fail."""
    return _list_response(await dead_letters.replay(await dead_letters.find(letter_id)))


@routes.post("/{letter_id}/discard", response_model=DeadLetterListResponse)
async def discard(letter_id: str, _admin: Admin, dead_letters: Service) -> dict[str, Any]:
    """Discard this event for its service and replay those behind it; return the request's remaining dead letters."""
    return _list_response(await dead_letters.discard(await dead_letters.find(letter_id)))


def _list_response(dead_letters: Iterable[DeadLetter]) -> dict[str, Any]:
    return {"items": [dead_letter_item(dead_letter) for dead_letter in dead_letters]}


def dead_letter_item(dead_letter: DeadLetter) -> dict[str, Any]:
    """A dead letter without the event, which may contain personal data."""
    return {
        "id": dead_letter.id,
        "service": dead_letter.service,
        "request": dead_letter.subject,
        "position": dead_letter.position,
        "reason": dead_letter.reason,
        "tries": dead_letter.tries,
        "parked_at": dead_letter.parked_at.isoformat(),
    }
