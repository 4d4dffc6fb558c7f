"""Dead letters, for administrators: what could not be folded, replayed or given up. The calls, and what pages share with them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from shared.eventlog.port import LogUnavailable
from shared.identity.accounts import Role
from shared.identity.identity import Principal
from shared.runtime.service import ServiceRuntime
from shared.storage.port import DeadLetter, StoreUnavailable
from shared.web.access import GuardedRoute, signed_in
from shared.web.bodies import FieldError, Fields
from shared.web.problems import Problem, invalid

Admin = Annotated[Principal, Depends(signed_in(Role.ADMIN))]

MISSING = "Kejadian tertunda itu tidak ditemukan. Mungkin sudah diproses ulang."


class DeadLetterQuery(Fields):
    service: str = Field("", max_length=100)


class DeadLetters:
    """What the services have parked, whichever process they run in."""

    def __init__(self, runtimes: Mapping[str, ServiceRuntime[Any]]):
        self._runtimes = runtimes

    async def all(self, service: str = "") -> list[DeadLetter]:
        """In the order in which they would be replayed. Raises Problem 422 for a service that is not here."""
        if service and service not in self._runtimes:
            raise invalid([FieldError("service", f"Pilih salah satu: {', '.join(self._runtimes)}.")])
        chosen = [runtime for name, runtime in self._runtimes.items() if service in ("", name)]
        return [letter for runtime in chosen for letter in await runtime.store.dead_letters()]

    async def count(self) -> int:
        return sum([await runtime.store.count_parked() for runtime in self._runtimes.values()])

    async def find(self, letter_id: str) -> DeadLetter:
        """Raises Problem 404."""
        service = letter_id.partition(":")[0]
        for letter in await self.all(service) if service in self._runtimes else ():
            if letter.id == letter_id:
                return letter
        raise Problem(404, MISSING)

    async def number(self, letter: DeadLetter) -> str:
        """The number of the request that it is about, "" if its service has not heard of one."""
        executor = self._runtimes[letter.service].executor
        kept = await executor.read(letter.subject)
        return executor.folding.decider.number(kept.state) if kept else ""

    async def replay(self, letter: DeadLetter) -> list[DeadLetter]:
        """Fold its request again, in order; what still cannot be folded is answered."""
        runtime = self._runtimes[letter.service]
        left = await runtime.consumer.replay(letter.subject)
        await _publish(runtime)
        return left

    async def discard(self, letter: DeadLetter) -> list[DeadLetter]:
        """Give it up for its service, and replay what waited behind it; what is still parked of its request is answered."""
        runtime = self._runtimes[letter.service]
        await runtime.consumer.discard(letter)
        await _publish(runtime)
        return await runtime.store.dead_letters(subject=letter.subject)


async def _publish(runtime: ServiceRuntime[Any]) -> None:
    """What followed goes out at once, also where the service itself runs in another process; else its sweep finds it."""
    with contextlib.suppress(LogUnavailable, StoreUnavailable):
        await runtime.relay.drain()


def router(letters: DeadLetters) -> APIRouter:
    """Routes under /api/dead-letters."""
    routes = APIRouter(prefix="/api/dead-letters", tags=["dead letters"], route_class=GuardedRoute)

    @routes.get("")
    async def list_dead_letters(query: Annotated[DeadLetterQuery, Query()], admin: Admin) -> dict[str, Any]:
        """What is parked, in the order in which it would be replayed."""
        return {"items": [plain(letter) for letter in await letters.all(query.service)]}

    @routes.post("/{letter_id}/replay")
    async def replay(letter_id: str, admin: Admin) -> dict[str, Any]:
        """Fold this event's request again, in order; what still cannot be folded is answered."""
        return {"items": [plain(left) for left in await letters.replay(await letters.find(letter_id))]}

    @routes.post("/{letter_id}/discard")
    async def discard(letter_id: str, admin: Admin) -> dict[str, Any]:
        """Give this event up for its service, and replay what waited behind it."""
        return {"items": [plain(left) for left in await letters.discard(await letters.find(letter_id))]}

    return routes


def plain(letter: DeadLetter) -> dict[str, Any]:
    """A dead letter without the event itself, which may hold personal data."""
    return {
        "id": letter.id,
        "service": letter.service,
        "request": letter.subject,
        "position": letter.position,
        "reason": letter.reason,
        "tries": letter.tries,
        "parked_at": letter.parked_at.isoformat(),
    }
