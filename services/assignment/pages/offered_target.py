"""Targets on a day off: a form comes back once with the next working day, and is then accepted with either day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any, TypeVar

from services.assignment.presenters import target_warnings
from services.assignment.schemas import AssignmentBody, ReassignmentBody, TargetBody
from shared.calendar import WorkingCalendar
from shared.web.api.problems import validation_problem
from shared.web.api.validation import FieldError
from shared.web.forms.posted_form import PostedForm

Body = TypeVar("Body", AssignmentBody, ReassignmentBody, TargetBody)

TARGET_BUTTON = "target-"
"""Prefix of the value of a button that submits the form with the date that it names."""


def validate_target(
    posted: PostedForm, model: type[Body], calendar: WorkingCalendar, current: date | None = None
) -> Body:
    """Validate a form with a target; the button of an offer replaces the date that was typed.

    Raises: Problem 422, also for a day off that nobody has confirmed and that is not the `current` target.
    """
    chosen = posted.button.removeprefix(TARGET_BUTTON) if posted.button.startswith(TARGET_BUTTON) else ""
    if chosen:
        return replace(posted, texts={**posted.texts, "target_date": [chosen]}).validate(model)
    body = posted.validate(model)
    warnings = target_warnings(body.target_date, calendar) if body.target_date != current else []
    if warnings:
        raise validation_problem([FieldError("target_date", warning["message"]) for warning in warnings])
    return body


def target_offer(posted: PostedForm, calendar: WorkingCalendar, current: date | None = None) -> dict[str, Any] | None:
    """Return the warning about the date in a form that was sent, with the values of the buttons that choose a day."""
    try:
        day = date.fromisoformat(posted.text("target_date").strip())
    except ValueError:
        return None
    for warning in target_warnings(day, calendar) if day != current else ():
        use, keep = (f"{TARGET_BUTTON}{one.isoformat()}" for one in (warning["next_working_day"], day))
        return {**warning, "day": day, "use": use, "keep": keep}
    return None
