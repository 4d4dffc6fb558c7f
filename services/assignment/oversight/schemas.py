"""Queries and responses of oversight."""

from __future__ import annotations

from datetime import date
from typing import Any, Self

from pydantic import BaseModel, Field, model_validator

from services.assignment.oversight.periods import Period, year_of
from shared.contracts.facts import Scope
from shared.web.api.lists import drop_blank_values
from shared.web.api.validation import InputModel, IsoDate

FIRST_DAY, LAST_DAY = date(2020, 1, 1), date(2099, 12, 31)


class PeriodQuery(InputModel):
    """`from` and `to` are days, both included; without them the current year. `scope` narrows to one kind of integration."""

    first: IsoDate | None = Field(None, alias="from", ge=FIRST_DAY, le=LAST_DAY)
    last: IsoDate | None = Field(None, alias="to", ge=FIRST_DAY, le=LAST_DAY)
    scope: Scope | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, values: Any) -> Any:
        return drop_blank_values(values)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first and self.last and self.last < self.first:
            raise ValueError("Pilih tanggal akhir yang sama dengan atau sesudah tanggal awal.")
        return self

    def period(self, today: date) -> Period:
        """Return the period; a missing end is that of the year of the other one."""
        known = self.first or self.last or today
        return Period(self.first or year_of(known).first, self.last or year_of(known).last)


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
