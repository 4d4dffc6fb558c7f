"""The decider of notification: its domain, and what storage must know of it."""

from __future__ import annotations

from services.notification.domain.decisions import decide, due_at, on_due, react
from services.notification.domain.delivery import carry_over, record
from services.notification.domain.state import State, evolve
from services.notification.events import SUBSCRIBES_TO
from services.notification.projections import INDEXED_COLUMNS, columns
from shared.runtime.decider import Decider


def decider() -> Decider[State]:
    """Return the decider of notification."""
    return Decider(
        service="notification",
        state_type=State,
        initial=State,
        decide=decide,
        evolve=evolve,
        react=react,
        subscribes_to=SUBSCRIBES_TO,
        indexed_columns=INDEXED_COLUMNS,
        columns=columns,
        due_at=due_at,
        on_due=on_due,
        status=lambda state: state.course.status.value,
        number=lambda state: state.number,
        record=record,
        carry_over=carry_over,
    )
