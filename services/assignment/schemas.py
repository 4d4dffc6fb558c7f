"""Request and response models of assignment, shared by the API and the pages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, Field

from shared.contracts.facts import Complexity
from shared.contracts.stages import Stage
from shared.runtime.request_columns import SORT_COLUMNS
from shared.web.api.bulk import BulkBody
from shared.web.api.commands import CommandResponse, OptionalText, Text
from shared.web.api.request_lists import RequestListQuery
from shared.web.api.serializers import RequestDetailsResponse, RequestSummaryResponse
from shared.web.api.validation import InputModel, IsoDate, RequestBody
from shared.web.forms.text_fields import STRIP_INVISIBLE

MAX_TARGET_YEAR = 2099
"""Later years are typing errors, and counting their working days would take long."""


def _validate_target_year(day: date) -> date:
    if day.year > MAX_TARGET_YEAR:
        raise ValueError(f"Tulis tanggal sampai dengan tahun {MAX_TARGET_YEAR}.")
    return day


TargetDate = Annotated[IsoDate, AfterValidator(_validate_target_year)]


class WorkListQuery(RequestListQuery):
    """The filters of a list of requests; they can be sorted by target too."""

    sorts: ClassVar[Mapping[str, str]] = {**SORT_COLUMNS, "target_date": "target_date"}


class WorkQuery(WorkListQuery):
    """`total` asks for the number of all requests of the list."""

    total: bool = False


class RejectionBody(RequestBody):
    reason: Text


class AssignmentBody(RequestBody):
    """`lead` is the username of an active member of the technical staff; `target_date` is today or later."""

    lead: Annotated[str, Field(min_length=1, max_length=100), STRIP_INVISIBLE]
    complexity: Complexity
    target_date: TargetDate
    note: OptionalText = ""


class ReassignmentBody(RequestBody):
    """Without a `target_date` the target stays."""

    lead: Annotated[str, Field(min_length=1, max_length=100), STRIP_INVISIBLE]
    reason: Text
    target_date: TargetDate | None = None


class BulkAssignment(AssignmentBody, BulkBody):
    """Appoints one lead for several requests."""

    action: Literal["assignment"]


class BulkReassignment(ReassignmentBody, BulkBody):
    """Replaces the lead of several requests."""

    action: Literal["reassignment"]


BulkCommand = Annotated[BulkAssignment | BulkReassignment, Field(discriminator="action")]


class TargetBody(RequestBody):
    target_date: TargetDate
    reason: Text


class ProgressBody(RequestBody):
    note: Text
    percent: int | None = Field(None, ge=0, le=100, strict=True)


class PauseBody(RequestBody):
    question: Text


class ResumeBody(RequestBody):
    note: OptionalText = ""


class HandoverFields(InputModel):
    """The text fields of a handover."""

    summary: Text


class TargetWarningResponse(BaseModel):
    """Why a target that was accepted is unusual; `not_a_working_day` is the only code."""

    code: str
    message: str
    next_working_day: date


class TargetResponse(CommandResponse):
    """The state of the request after a command that sets a target; `warnings` only if there are any."""

    warnings: list[TargetWarningResponse] = Field(default_factory=list)


class WorkloadResponse(BaseModel):
    """A member of the technical staff with the number of open and of overdue requests."""

    username: str
    name: str
    open: int
    overdue: int


class AssignmentRequestResponse(RequestDetailsResponse):
    """A request with the state of the work; fields of a stage that was not reached are null or empty."""

    complexity: Complexity | None
    note: str
    question: str | None
    answer_by: date | None
    summary: str | None
    record_number: str | None
    confirm_by: date | None


class OverdueStageResponse(BaseModel):
    """The overdue requests of a stage; `items` are the longest overdue."""

    stage: Stage
    count: int
    overdue_days: int
    items: list[RequestSummaryResponse]


class ResponsibleResponse(BaseModel):
    """The overdue requests of one who has to act: `applicant`, `role:` with a role, or `staff:` with a username."""

    responsible: str
    name: str
    counts: dict[Stage, int]
    total: int
    overdue_days: int
    reminded_today: bool


class OverdueBoardResponse(BaseModel):
    """Overdue requests; `overdue_days` is always that of the longest overdue."""

    total: int
    stages: list[OverdueStageResponse]
    people: list[ResponsibleResponse]
