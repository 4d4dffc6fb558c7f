"""What a form offers to choose from: the two scopes, and the Dinas, which is written when it is not on the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.intake.schemas import words
from shared.web.forms.posted_form import PostedForm
from shared.web.views.labels import SCOPE_LABELS
from shared.work_units import WORK_UNITS

UNIT, UNIT_OTHER = "unit", "unit_other"
OTHER_UNIT = "other"
"""What the list says for a unit that is not on it."""


def unit_groups() -> list[tuple[str, list[tuple[str, str]]]]:
    """The list as a form offers it: (title, [(value, label)])."""
    titles = words.form.unit_groups
    groups = [
        (titles[kind], [(unit.name, unit.name) for unit in WORK_UNITS if unit.active and unit.code.startswith(kind)])
        for kind in titles
    ]
    return [*groups, ("", [(OTHER_UNIT, words.form.other)])]


def unit_form_values(unit: str) -> tuple[str, str]:
    """How a unit is shown in a form: (chosen, written)."""
    return (unit, "") if any(unit == one.name for one in WORK_UNITS if one.active) else (OTHER_UNIT, unit)


def resolve_unit(posted: PostedForm) -> PostedForm:
    """The form as the model takes it: what was written counts where the list does not say."""
    if posted.text(UNIT) != OTHER_UNIT:
        return posted
    texts: dict[str, Sequence[str]] = dict(posted.texts)
    texts[UNIT] = texts.get(UNIT_OTHER, [""])
    return replace(posted, texts=texts)


def unit_error_field(posted: PostedForm, field: str) -> str:
    """Where what is wrong with the unit is to be put right."""
    return UNIT_OTHER if field == UNIT and posted.text(UNIT) == OTHER_UNIT else field


def scope_choices() -> list[tuple[str, str, str]]:
    """(value, label, explanation) of both scopes."""
    return [(scope.value, label, words.form.scopes[scope.value]) for scope, label in SCOPE_LABELS.items()]
