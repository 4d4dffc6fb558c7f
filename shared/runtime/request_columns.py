"""The columns of a record that verification and assignment list requests by."""

from __future__ import annotations

from shared.contracts.lifecycle import ENDED
from shared.contracts.request_state import StaffRequestState
from shared.contracts.stages import StageClock
from shared.storage.port import COLUMNS_VERSION, Scalar, sortable_time
from shared.text.search import request_search_text


def request_columns(state: StaffRequestState, clock: StageClock | None, version: int) -> dict[str, Scalar]:
    """Return the columns that both services have; `version` is that of the service's columns.

    An open request whose `due` is before today is overdue.
    """
    return {
        COLUMNS_VERSION: version,
        "number": state.number,
        "status": state.status.value,
        "open": int(state.status not in ENDED),
        "submitted_at": sortable_time(state.submitted_at),
        "unit": state.applicant.unit if state.applicant else "",
        "scope": state.scope.value if state.scope else None,
        "stage": clock.stage.value if clock else None,
        "due": clock.due.isoformat() if clock else None,
        "search": request_search_text(state.number, state.applicant, state.letter, state.description, state.lead),
    }
