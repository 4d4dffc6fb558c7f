"""The scenarios of the demo, successful and unsuccessful, and how often each is played."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from simpul.demo.journey import Journey

Play = Callable[[Journey], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A sequence of steps, the status at its end, and its label in the summary."""

    name: str
    label: str
    play: Play
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


COMPLETED = Scenario("completed", "completed", _completed, "completed")
RETURNED = Scenario("returned", "returned, completed by the applicant, then done", _returned, "completed")
REJECTED = Scenario("rejected", "rejected as recommended", _rejected, "rejected")
PAUSED = Scenario("paused", "paused, answered, then done", _paused, "completed")
CONTESTED = Scenario("contested", "contested once, then done", _contested, "completed")
WITHDRAWN_EARLY = Scenario("withdrawn_early", "withdrawn before verification", _withdrawn_early, "withdrawn")
WITHDRAWN_LATE = Scenario("withdrawn_late", "withdrawn while worked on", _withdrawn_late, "withdrawn")
REASSIGNED = Scenario("reassigned", "lead replaced, then done", _reassigned, "completed")
OPEN_SCENARIOS = tuple(
    Scenario("left_open", "left open", play, final_status)
    for play, final_status in (
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
"""Every scenario once before any comes twice, so that a short demo shows many of them."""

SCENARIOS = (*dict.fromkeys(FINISHED_SCENARIOS), OPEN_SCENARIOS[0])


def scenario_for(index: int) -> Scenario:
    """The scenario of the request with this number: every third request is left open, at each status in turn."""
    if index % 3 == 2:
        return OPEN_SCENARIOS[index // 3 % len(OPEN_SCENARIOS)]
    return FINISHED_SCENARIOS[(index - index // 3) % len(FINISHED_SCENARIOS)]
