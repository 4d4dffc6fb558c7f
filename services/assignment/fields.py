"""What head and leads send with each step, and ask of lists: the same models for programs and pages."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field

from shared.contracts.course import Status
from shared.contracts.facts import Complexity
from shared.web.bodies import Body, Day, Fields
from shared.web.commands import OptionalText, Text
from shared.web.lists import ListQuery
from shared.web.text_fields import INVISIBLE

LATEST_YEAR = 2099
"""Beyond it days would be counted for ever, for what can only be a slip of the hand."""


def _in_sight(day: date) -> date:
    if day.year > LATEST_YEAR:
        raise ValueError(f"Tulis tanggal sampai dengan tahun {LATEST_YEAR}.")
    return day


Target = Annotated[Day, AfterValidator(_in_sight)]


class WorkQuery(ListQuery):
    """`lead` is a username; `overdue` true: only what is past its target; `search`: words of the request."""

    status: Status | None = None
    lead: str = Field("", max_length=100)
    overdue: bool = False
    search: str = Field("", max_length=200)


class Nothing(Body):
    """A body without fields, which may be left out."""


class Rejection(Body):
    reason: Text


class Assignment(Body):
    """`lead` is the username of an active member of the technical staff; `target_date` is today or later."""

    lead: Annotated[str, Field(min_length=1, max_length=100), INVISIBLE]
    complexity: Complexity
    target_date: Target
    note: OptionalText = ""


class Reassignment(Body):
    """Without a `target_date` the target stays."""

    lead: Annotated[str, Field(min_length=1, max_length=100), INVISIBLE]
    reason: Text
    target_date: Target | None = None


class Progress(Body):
    note: Text
    percent: int | None = Field(None, ge=0, le=100)


class Pause(Body):
    question: Text


class Resume(Body):
    note: OptionalText = ""


class Summary(Fields):
    """What the lead writes beside the files that are handed over."""

    summary: Text
