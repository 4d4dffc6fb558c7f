"""The JSON API of dead letters, for administrators: what could not be folded, replayed or given up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from shared.identity.accounts import Role
from shared.identity.identity import Principal
from shared.runtime.service import ServiceRuntime
from shared.storage.port import DeadLetter
from shared.web.access import GuardedRoute, signed_in
from shared.web.bodies import FieldError, Fields
from shared.web.problems import Problem, invalid

Admin = Annotated[Principal, Depends(signed_in(Role.ADMIN))]


class DeadLetterQuery(Fields):
    service: str = Field("", max_length=100)


def router(runtimes: Mapping[str, ServiceRuntime[Any]]) -> APIRouter:
    """Routes under /api/dead-letters for the services in this process."""
    routes = APIRouter(prefix="/api/dead-letters", tags=["dead letters"], route_class=GuardedRoute)

    async def find(letter_id: str) -> tuple[ServiceRuntime[Any], DeadLetter]:
        runtime = runtimes.get(letter_id.partition(":")[0])
        letters = await runtime.store.dead_letters() if runtime else []
        for letter in letters:
            if runtime and letter.id == letter_id:
                return runtime, letter
        raise Problem(404, "Kejadian tertunda itu tidak ditemukan. Mungkin sudah diproses ulang.")

    @routes.get("")
    async def list_dead_letters(query: Annotated[DeadLetterQuery, Query()], admin: Admin) -> dict[str, Any]:
        """What is parked, in the order in which it would be replayed."""
        if query.service and query.service not in runtimes:
            raise invalid([FieldError("service", f"Pilih salah satu: {', '.join(runtimes)}.")])
        chosen = [runtime for name, runtime in runtimes.items() if query.service in ("", name)]
        return {"items": [plain(letter) for runtime in chosen for letter in await runtime.store.dead_letters()]}

    @routes.post("/{letter_id}/replay")
    async def replay(letter_id: str, admin: Admin) -> dict[str, Any]:
        """Fold this event's request again, in order; what still cannot be folded is answered."""
        runtime, letter = await find(letter_id)
        return {"items": [plain(left) for left in await runtime.consumer.replay(letter.subject)]}

    @routes.post("/{letter_id}/discard")
    async def discard(letter_id: str, admin: Admin) -> dict[str, Any]:
        """Give this event up for its service, and replay what waited behind it."""
        runtime, letter = await find(letter_id)
        await runtime.consumer.discard(letter)
        return {"items": [plain(left) for left in await runtime.store.dead_letters(subject=letter.subject)]}

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
