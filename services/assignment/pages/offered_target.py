"""Targets on a day off: a form comes back once with the next working day, and is then accepted with either day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any, TypeVar

from services.assignment.presenters import target_warnings
from services.assignment.schemas import AssignmentBody, ReassignmentBody, TargetBody
from shared.calendar import WorkingCalendar
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import FieldError, RequestBody
from shared.web.forms.date_fields import date_error, join_date
from shared.web.forms.posted_form import PostedForm

AnyBody = TypeVar("AnyBody", bound=RequestBody)
Body = TypeVar("Body", AssignmentBody, ReassignmentBody, TargetBody)

TARGET = "target_date"
"""The field of the target; the form has one each for its day, month and year."""

TARGET_BUTTON = "target-"
"""Prefix of the value of a button that submits the form with the date that it names."""


def validate_with_target(posted: PostedForm, model: type[AnyBody], **more: object) -> AnyBody:
    """Validate a form with a target in three fields; `more` are values that the page adds. Raises Problem 422."""
    errors: list[FieldError] = []
    if wrong := date_error(posted, TARGET):
        errors.append(FieldError(TARGET, wrong))
    try:
        body = join_date(posted, TARGET).validate(model, **more)
    except Problem as problem:
        errors += [error for error in problem.errors if error.field != TARGET or not wrong]
        raise validation_problem(errors) from problem
    if errors:
        raise validation_problem(errors)
    return body


def validate_target(
    posted: PostedForm, model: type[Body], calendar: WorkingCalendar, current: date | None = None
) -> Body:
    """Validate a form with a target; the button of an offer replaces the date that was typed.

    Raises: Problem 422, also for a day off that nobody has confirmed and that is not the `current` target.
    """
    chosen = posted.button.removeprefix(TARGET_BUTTON) if posted.button.startswith(TARGET_BUTTON) else ""
    if chosen:
        joined = join_date(posted, TARGET)
        return replace(joined, texts={**joined.texts, TARGET: [chosen]}).validate(model)
    body = validate_with_target(posted, model)
    warnings = target_warnings(body.target_date, calendar) if body.target_date != current else []
    if warnings:
        raise validation_problem([FieldError(TARGET, warning["message"]) for warning in warnings])
    return body


def target_offer(posted: PostedForm, calendar: WorkingCalendar, current: date | None = None) -> dict[str, Any] | None:
    """Return the warning about the date in a form that was sent, with the values of the buttons that choose a day."""
    try:
        day = date.fromisoformat(join_date(posted, TARGET).text(TARGET).strip())
    except ValueError:
        return None
    for warning in target_warnings(day, calendar) if day != current else ():
        use, keep = (f"{TARGET_BUTTON}{choice.isoformat()}" for choice in (warning["next_working_day"], day))
        return {**warning, "day": day, "use": use, "keep": keep}
    return None
