"""Is it alive, and may it be given work? Said in words that give nothing away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from shared.documents.port import DocumentStore
from shared.eventlog.port import EventLog
from shared.storage.port import StateStore
from shared.web.api.problems import RETRY_AFTER_SECONDS, Problem
from shared.web.views.rendering import shared_templates

logger = logging.getLogger(__name__)

CHECK_TIMEOUT_SECONDS = 1.0
"""Seconds in which a part must answer."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something that work needs; `probe` raises, or answers False, if it is down. What is not vital only degrades."""

    name: str
    probe: Callable[[], Awaitable[object]]
    critical: bool = True


def default_parts(stores: Sequence[StateStore], documents: DocumentStore, log: EventLog) -> tuple[Part, ...]:
    """State and documents are vital; without the log, requests are taken in and published later."""

    async def check_stores() -> None:
        for store in stores:
            await store.ready()

    return Part("state", check_stores), Part("documents", documents.ready), Part("log", log.ready, critical=False)


async def readiness(parts: Sequence[Part], closing: asyncio.Event) -> dict[str, Any]:
    """`{status, parts}`; status ok or degraded. Raises Problem 503 if work would be refused."""
    if closing.is_set():
        raise Problem(503, "Layanan sedang dihentikan.", headers={"Retry-After": RETRY_AFTER_SECONDS})
    answers = await answers_of(parts)
    told = {part.name: "ok" if healthy else "down" for part, healthy in answers.items()}
    if any(part.critical and not healthy for part, healthy in answers.items()):
        raise Problem(
            503, "Layanan belum siap menerima pekerjaan.", headers={"Retry-After": RETRY_AFTER_SECONDS}, parts=told
        )
    return {"status": "ok" if all(answers.values()) else "degraded", "parts": told}


async def health_summary(app: FastAPI) -> dict[str, str]:
    """`{version, status, parts}` for the foot of a page: ok, degraded or down, and the names of the parts that do not answer."""
    parts: Sequence[Part] = app.state.parts
    answers = await answers_of(parts)
    failing = [part for part, healthy in answers.items() if not healthy]
    status = "down" if any(part.critical for part in failing) else "degraded" if failing else "ok"
    names = shared_templates.words["foot"]["parts"]
    return {"version": app.version, "status": status, "parts": ", ".join(names[part.name] for part in failing)}


async def answers_of(parts: Sequence[Part]) -> dict[Part, bool]:
    """Whether each of them answers in time."""
    return dict(zip(parts, await asyncio.gather(*(_answers(part) for part in parts)), strict=True))


async def _answers(part: Part) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            return await part.probe() is not False
    except Exception as error:
        logger.warning("%s is not ready: %r", part.name, error)
        return False
