"""Choices of the forms: the two scopes and the work units; a unit that is not listed is written in a second field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from services.intake.schemas import texts as intake_texts
from shared.web.api.validation import FieldError
from shared.web.forms.date_fields import date_error
from shared.web.forms.posted_form import PostedForm
from shared.web.views.labels import SCOPE_LABELS
from shared.web.views.words import load_words
from shared.work_units import WORK_UNITS

UNIT, UNIT_OTHER = "unit", "unit_other"
LETTER_DATE = "letter_date"
OTHER_UNIT = "other"
"""The choice for a unit that is not listed."""


def field_labels() -> Mapping[str, str]:
    """Return the labels of the form's fields, for the error summary."""
    form, request = intake_texts.form, load_words("shared.web.views").request
    in_request = ("name", "employee_number", "unit", "position")
    in_form = ("scope", "description", "requirements", "letter", "letter_number", "letter_date", "email", "phone")
    return {name: request[name] for name in in_request} | {name: form[name] for name in (*in_form, UNIT_OTHER)}


def unit_groups() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the listed units as (title, [(value, label)])."""
    titles = intake_texts.form.unit_groups
    groups = [
        (titles[kind], [(unit.name, unit.name) for unit in WORK_UNITS if unit.active and unit.code.startswith(kind)])
        for kind in titles
    ]
    return [*groups, ("", [(OTHER_UNIT, intake_texts.form.other)])]


def unit_form_values(unit: str) -> tuple[str, str]:
    """Return the form values of a unit: (choice, written name)."""
    return (unit, "") if any(unit == listed.name for listed in WORK_UNITS if listed.active) else (OTHER_UNIT, unit)


def resolve_unit(posted: PostedForm) -> PostedForm:
    """Return the form with the written name as its unit if the unit is not listed."""
    if posted.text(UNIT) != OTHER_UNIT:
        return posted
    texts: dict[str, Sequence[str]] = dict(posted.texts)
    texts[UNIT] = texts.get(UNIT_OTHER, [""])
    return replace(posted, texts=texts)


def unit_error_field(posted: PostedForm, field: str) -> str:
    """Return the field at which an error is shown: that of the written name for a unit that is not listed."""
    return UNIT_OTHER if field == UNIT and posted.text(UNIT) == OTHER_UNIT else field


def form_error(posted: PostedForm, error: FieldError) -> FieldError:
    """Return an error as the page shows it: at the field that was filled in, and about a date in three fields."""
    if error.field == LETTER_DATE and (wrong := date_error(posted, LETTER_DATE)):
        return FieldError(LETTER_DATE, wrong)
    return FieldError(unit_error_field(posted, error.field), error.message)


def scope_choices() -> list[tuple[str, str, str]]:
    """Return the scopes as (value, label, explanation)."""
    return [(scope.value, label, intake_texts.form.scopes[scope.value]) for scope, label in SCOPE_LABELS.items()]
