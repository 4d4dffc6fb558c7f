"""Queries and responses of oversight."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, model_validator

from services.assignment.oversight.periods import Period, month_of, months_back, year_of
from services.assignment.oversight.register import MAX_REGISTER_ENTRIES, RegisterEntry
from shared.contracts.facts import Scope
from shared.contracts.stages import Stage
from shared.web.api.lists import ListQuery, drop_blank_values
from shared.web.api.validation import InputModel, IsoDate
from shared.web.forms.text_fields import STRIP_INVISIBLE

MAX_DASHBOARD_DAYS = 3653
FIRST_DAY, LAST_DAY = date(2020, 1, 1), date(2099, 12, 31)


class PeriodQuery(InputModel):
    """`from` and `to` are days of the first and the last month, without them of the current year. `scope` selects one kind."""

    first: IsoDate | None = Field(None, alias="from", ge=FIRST_DAY, le=LAST_DAY)
    last: IsoDate | None = Field(None, alias="to", ge=FIRST_DAY, le=LAST_DAY)
    scope: Scope | None = None

    @model_validator(mode="before")
    @classmethod
    def _drop_blanks(cls, values: Any) -> Any:
        return drop_blank_values(values)

    @model_validator(mode="after")
    def _validate_order(self) -> Self:
        if self.first and self.last and self.last < self.first:
            raise ValueError("Pilih tanggal akhir yang sama dengan atau sesudah tanggal awal.")
        return self

    def period(self, today: date) -> Period:
        """Return the period; a missing end is that of the year of the other one."""
        known = self.first or self.last or today
        return Period(self.first or year_of(known).first, self.last or year_of(known).last)


class DashboardQuery(PeriodQuery):
    """Like a period of a report, in whole months; without days the last twelve months. `unit` is the name of a work unit."""

    unit: str = Field("", max_length=200)

    @model_validator(mode="after")
    def _validate_length(self) -> Self:
        if self.first and self.last and (self.last - self.first).days > MAX_DASHBOARD_DAYS:
            raise ValueError("Pilih rentang paling panjang sepuluh tahun.")
        return self

    def months(self, today: date) -> Period:
        """Return the period of whole months."""
        last = self.last or today
        first = self.first or months_back(last, 11)
        return Period(first.replace(day=1), month_of(max(first, last)).last)


class RegisterQuery(ListQuery):
    """`month` is written as 2026-11; without it the current month."""

    limit: int = Field(MAX_REGISTER_ENTRIES, ge=1, le=MAX_REGISTER_ENTRIES)
    month: Annotated[str, STRIP_INVISIBLE] = Field("", pattern=r"^(20[2-9][0-9]-(0[1-9]|1[0-2]))?$")

    def period(self, today: date) -> Period:
        """Return the days of the month."""
        return month_of(date.fromisoformat(f"{self.month}-01") if self.month else today)


class RegisterResponse(BaseModel):
    """The register of a month like 2026-11, in the order of submission; `total` is the number of all its entries.

    `next` and `previous` are the values of `after` and `before` for the adjacent parts.
    """

    month: str
    items: list[RegisterEntry]
    next: str | None
    previous: str | None
    total: int


class ElementResponse(BaseModel):
    """A survey element with its mean score from 1 to 4, null without answers, and the quality of that mean."""

    code: str
    name: str
    mean: float | None
    band: str | None


class SurveyResponse(BaseModel):
    """The satisfaction report of a period: `n` answers, the index (IKM) from 25 to 100, and its quality from A to D."""

    first: date = Field(serialization_alias="from")
    last: date = Field(serialization_alias="to")
    scope: Scope | None
    n: int
    elements: list[ElementResponse]
    ikm: float | None
    band: str | None
    comments: list[str]


class OpenStageResponse(BaseModel):
    """Open requests in a stage: by age in working days (0-2, 3-5, 6-10, more), and those past their due date."""

    stage: Stage
    ages: list[int]
    total: int
    overdue: int


class MonthResponse(BaseModel):
    """What happened in a month, like 2026-11; `ended` also counts rejected, withdrawn and expired requests."""

    month: str
    submitted: int
    completed: int
    ended: int


class StageDaysResponse(BaseModel):
    """Working days of the visits of a stage that ended in the period, and the internal target."""

    stage: Stage
    count: int
    median: float | None
    p90: int | None
    target: int


class LeadLoadResponse(BaseModel):
    username: str
    name: str
    open: int
    overdue: int
    target: int


class FailedItemResponse(BaseModel):
    """How many rounds were returned for a checklist item; `label` is its latest wording."""

    item: str
    label: str
    count: int


class SurveyFiguresResponse(BaseModel):
    """The satisfaction index of the period, and that of the same months a year earlier."""

    n: int
    ikm: float | None
    band: str | None
    ikm_before: float | None
    elements: list[ElementResponse]


class DashboardResponse(BaseModel):
    """The figures of whole months, computed at `updated_at`, and of the requests that are open now."""

    first: date = Field(serialization_alias="from")
    last: date = Field(serialization_alias="to")
    scope: Scope | None
    unit: str
    updated_at: datetime | None
    open: list[OpenStageResponse]
    oldest_due: date | None
    months: list[MonthResponse]
    stages: list[StageDaysResponse]
    leads: list[LeadLoadResponse]
    returned: int
    failed_items: list[FailedItemResponse]
    survey: SurveyFiguresResponse


class PublicFiguresResponse(BaseModel):
    """Requests and the median of their working days in twelve whole months, the satisfaction index in four whole quarters.

    Too small numbers are null: of a few answers none may be recognised.
    """

    first: date = Field(serialization_alias="from")
    last: date = Field(serialization_alias="to")
    requests: int
    completed: int
    median_working_days: float | None
    survey_from: date
    survey_to: date
    n: int | None
    ikm: float | None
    band: str | None
