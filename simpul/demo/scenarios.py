"""The ways that a request can go, happy and unhappy, and how often each is taken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from simpul.demo.journey import Journey

Walk = Callable[[Journey], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Path:
    """A way through the service, the status at its end, and the words for it."""

    name: str
    label: str
    walk: Walk
    final_status: str


async def _verified(journey: Journey) -> None:
    await journey.submit()
    await journey.verify()


async def _assigned(journey: Journey) -> None:
    await _verified(journey)
    await journey.assign()


async def _started(journey: Journey) -> None:
    await _assigned(journey)
    await journey.start()


async def _delivered(journey: Journey) -> None:
    await _started(journey)
    await journey.progress()
    await journey.complete()


async def _completed(journey: Journey) -> None:
    await _delivered(journey)
    await journey.confirm()
    await journey.survey()


async def _sent_back(journey: Journey) -> None:
    await journey.submit()
    await journey.return_to_applicant()


async def _returned(journey: Journey) -> None:
    await _sent_back(journey)
    await journey.resubmit()
    await journey.verify(round_number=2)
    await journey.assign()
    await journey.start()
    await journey.complete()
    await journey.confirm()


async def _rejected(journey: Journey) -> None:
    await journey.submit()
    await journey.recommend()
    await journey.reject()


async def _on_hold(journey: Journey) -> None:
    await _started(journey)
    await journey.progress(20)
    await journey.pause()


async def _paused(journey: Journey) -> None:
    await _on_hold(journey)
    await journey.answer()
    await journey.complete()
    await journey.confirm()


async def _contested(journey: Journey) -> None:
    await _delivered(journey)
    await journey.contest()
    await journey.complete()
    await journey.confirm()
    await journey.survey()


async def _withdrawn_early(journey: Journey) -> None:
    await journey.submit()
    await journey.withdraw()


async def _withdrawn_late(journey: Journey) -> None:
    await _started(journey)
    await journey.wait_until_applicant_sees("in_progress")
    await journey.withdraw()


async def _reassigned(journey: Journey) -> None:
    await _started(journey)
    await journey.reassign()
    await journey.progress()
    await journey.complete()
    await journey.confirm()


async def _submitted(journey: Journey) -> None:
    await journey.submit()


COMPLETED = Path("completed", "completed", _completed, "completed")
RETURNED = Path("returned", "returned, completed by the applicant, then done", _returned, "completed")
REJECTED = Path("rejected", "rejected as recommended", _rejected, "rejected")
PAUSED = Path("paused", "paused, answered, then done", _paused, "completed")
CONTESTED = Path("contested", "contested once, then done", _contested, "completed")
WITHDRAWN_EARLY = Path("withdrawn_early", "withdrawn before verification", _withdrawn_early, "withdrawn")
WITHDRAWN_LATE = Path("withdrawn_late", "withdrawn while worked on", _withdrawn_late, "withdrawn")
REASSIGNED = Path("reassigned", "lead replaced, then done", _reassigned, "completed")
OPEN_SCENARIOS = tuple(
    Path("left_open", "left open", walk, final_status)
    for walk, final_status in (
        (_submitted, "submitted"),
        (_verified, "verified"),
        (_assigned, "assigned"),
        (_started, "in_progress"),
        (_sent_back, "returned"),
        (_on_hold, "on_hold"),
        (_delivered, "delivered"),
    )
)

FINISHED_SCENARIOS = (
    COMPLETED, RETURNED, REJECTED, PAUSED, CONTESTED, WITHDRAWN_EARLY, WITHDRAWN_LATE, REASSIGNED,
    COMPLETED, COMPLETED, RETURNED, COMPLETED, PAUSED,
)  # fmt: skip
"""Every way once before any comes twice, so that few requests show many of them."""

SCENARIOS = (*dict.fromkeys(FINISHED_SCENARIOS), OPEN_SCENARIOS[0])


def scenario_for(index: int) -> Path:
    """The way of the request with this number: every third is left open, at each state in turn."""
    if index % 3 == 2:
        return OPEN_SCENARIOS[index // 3 % len(OPEN_SCENARIOS)]
    return FINISHED_SCENARIOS[(index - index // 3) % len(FINISHED_SCENARIOS)]
