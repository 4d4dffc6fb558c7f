"""Dead letters, for administrators: what could not be folded, replayed or given up. The calls, and what pages share with them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from shared.eventlog.port import LogUnavailable
from shared.identity.accounts import Role
from shared.identity.service import Principal
from shared.runtime.service_runtime import ServiceRuntime
from shared.storage.port import DeadLetter, StoreUnavailable
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import FieldError, InputModel
from shared.web.auth.access import GuardedRoute, signed_in

Admin = Annotated[Principal, Depends(signed_in(Role.ADMIN))]

NOT_FOUND_DETAIL = "Kejadian tertunda itu tidak ditemukan. Mungkin sudah diproses ulang."


class DeadLetterQuery(InputModel):
    service: str = Field("", max_length=100)


class DeadLetterService:
    """What the services have parked, whichever process they run in."""

    def __init__(self, runtimes: Mapping[str, ServiceRuntime[Any]]) -> None:
        self._runtimes = runtimes

    async def all(self, service: str = "") -> list[DeadLetter]:
        """In the order in which they would be replayed. Raises Problem 422 for a service that is not here."""
        if service and service not in self._runtimes:
            raise validation_problem([FieldError("service", f"Pilih salah satu: {', '.join(self._runtimes)}.")])
        selected = [runtime for name, runtime in self._runtimes.items() if service in ("", name)]
        return [dead_letter for runtime in selected for dead_letter in await runtime.store.dead_letters()]

    async def count(self) -> int:
        return sum([await runtime.store.count_parked() for runtime in self._runtimes.values()])

    async def find(self, letter_id: str) -> DeadLetter:
        """Raises Problem 404."""
        service = letter_id.partition(":")[0]
        for dead_letter in await self.all(service) if service in self._runtimes else ():
            if dead_letter.id == letter_id:
                return dead_letter
        raise Problem(404, NOT_FOUND_DETAIL)

    async def number(self, dead_letter: DeadLetter) -> str:
        """The number of the request that it is about, "" if its service has not heard of one."""
        executor = self._runtimes[dead_letter.service].executor
        kept = await executor.read(dead_letter.subject)
        return executor.decider.number(kept.state) if kept else ""

    async def replay(self, dead_letter: DeadLetter) -> list[DeadLetter]:
        """Fold its request again, in order; what still cannot be folded is answered."""
        runtime = self._runtimes[dead_letter.service]
        remaining = await runtime.dead_letters.replay(dead_letter.subject)
        await _drain_outbox(runtime)
        return remaining

    async def discard(self, dead_letter: DeadLetter) -> list[DeadLetter]:
        """Give it up for its service, and replay what waited behind it; what is still parked of its request is answered."""
        runtime = self._runtimes[dead_letter.service]
        await runtime.dead_letters.discard(dead_letter)
        await _drain_outbox(runtime)
        return await runtime.store.dead_letters(subject=dead_letter.subject)


async def _drain_outbox(runtime: ServiceRuntime[Any]) -> None:
    """What followed goes out at once, also where the service itself runs in another process; else its sweep finds it."""
    with contextlib.suppress(LogUnavailable, StoreUnavailable):
        await runtime.relay.drain()


def router(letters: DeadLetterService) -> APIRouter:
    """Routes under /api/dead-letters."""
    routes = APIRouter(prefix="/api/dead-letters", tags=["dead letters"], route_class=GuardedRoute)

    @routes.get("")
    async def list_dead_letters(query: Annotated[DeadLetterQuery, Query()], admin: Admin) -> dict[str, Any]:
        """What is parked, in the order in which it would be replayed."""
        return {"items": [dead_letter_item(dead_letter) for dead_letter in await letters.all(query.service)]}

    @routes.post("/{letter_id}/replay")
    async def replay(letter_id: str, admin: Admin) -> dict[str, Any]:
        """Fold this event's request again, in order; what still cannot be folded is answered."""
        return {
            "items": [dead_letter_item(remaining) for remaining in await letters.replay(await letters.find(letter_id))]
        }

    @routes.post("/{letter_id}/discard")
    async def discard(letter_id: str, admin: Admin) -> dict[str, Any]:
        """Give this event up for its service, and replay what waited behind it."""
        return {
            "items": [dead_letter_item(remaining) for remaining in await letters.discard(await letters.find(letter_id))]
        }

    return routes


def dead_letter_item(dead_letter: DeadLetter) -> dict[str, Any]:
    """A dead letter without the event itself, which may hold personal data."""
    return {
        "id": dead_letter.id,
        "service": dead_letter.service,
        "request": dead_letter.subject,
        "position": dead_letter.position,
        "reason": dead_letter.reason,
        "tries": dead_letter.tries,
        "parked_at": dead_letter.parked_at.isoformat(),
    }
