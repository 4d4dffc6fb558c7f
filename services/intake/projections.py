"""The read side of intake: the columns that requests are found by."""

from __future__ import annotations

from collections.abc import Mapping

from services.intake.domain.state import State
from shared.storage.port import Column, Scalar, sortable_time

INDEXED_COLUMNS = (
    Column("number", unique=True),
    Column("status"),
    Column("submitted_at"),
    Column("email", ordered_by=("submitted_at",)),
)


def columns(state: State) -> Mapping[str, Scalar]:
    """Return the columns of a record: number and lower-case email for applicants, the rest for counting."""
    submitted = sortable_time(state.submitted_at)
    email = state.form.applicant.email.lower() if state.form else None
    return {"number": state.number or None, "status": state.status.value, "submitted_at": submitted, "email": email}
