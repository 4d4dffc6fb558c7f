"""Messages of the pages of applicants: what to do about an empty field, instead of only that it is empty."""

from __future__ import annotations

from dataclasses import replace

from services.intake.pages import templates
from shared.web.api.problems import Problem, validation_problem
from shared.web.api.validation import REQUIRED_FILE_MESSAGE, REQUIRED_MESSAGE, FieldError


def add_instruction(error: FieldError, action: str = "") -> FieldError:
    """Return the error of an empty field with an instruction; `action` names the page if several pages have that field."""
    if error.message not in (REQUIRED_MESSAGE, REQUIRED_FILE_MESSAGE):
        return error
    known = templates.words.empty
    text = known.get(f"{action}_{error.field}") or known.get(error.field) or error.message
    return replace(error, message=text)


def problem_with_instructions(problem: Problem, action: str = "") -> Problem:
    """Return a problem of fields with instructions; any other problem is returned unchanged."""
    if problem.status_code != 422 or not problem.errors:
        return problem
    return validation_problem(add_instruction(error, action) for error in problem.errors)
