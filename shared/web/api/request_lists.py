"""Query parameters of the lists of requests that staff work from: filters, order, and part."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from shared.contracts.facts import Scope
from shared.contracts.lifecycle import Status
from shared.contracts.stages import Stage
from shared.runtime.request_columns import SORT_COLUMNS, RequestFilters
from shared.web.api.lists import ListQuery, drop_blank_values
from shared.web.api.validation import ISO_DATE, IsoDate
from shared.web.views.formats import MONTHS

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)


def _validate_day_range(day: date) -> date:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(f"Pilih hari dari tahun {FIRST_DAY.year} sampai {LAST_DAY.year}.")
    return day


_DAY_MESSAGE = "Tulis tanggal seperti 23/11/2026 atau 23 November 2026."

Day = Annotated[IsoDate, AfterValidator(_validate_day_range)]


class RequestListQuery(ListQuery):
    """Filters of a list of requests.

    `sort` is a field of an item, with `-` before it for descending; `from` and `to` are days of submission; `unit` is the full
    name of a work unit, `lead` a username; each word of `search` must occur in the number, name, unit, email, letter number,
    lead or description, one of two characters at the beginning of a word, a single one as a word.
    """

    sorts: ClassVar[Mapping[str, str]] = SORT_COLUMNS

    status: Status | None = None
    stage: Stage | None = None
    unit: str = Field("", max_length=200)
    scope: Scope | None = None
    lead: str = Field("", max_length=100)
    overdue: bool = False
    submitted_from: Day | None = Field(None, alias="from")
    submitted_to: Day | None = Field(None, alias="to")
    search: str = Field("", max_length=200)
    sort: str = Field("", max_length=30)

    @field_validator("sort")
    @classmethod
    def _validate_sort(cls, value: str) -> str:
        if value and value.removeprefix("-") not in cls.sorts:
            raise ValueError(f"Urutkan menurut salah satu: {', '.join(cls.sorts)}; awali dengan - untuk membaliknya.")
        return value

    @model_validator(mode="after")
    def _validate_day_order(self) -> Self:
        if self.submitted_from and self.submitted_to and self.submitted_to < self.submitted_from:
            raise ValueError("Hari terakhir (to) tidak boleh sebelum hari pertama (from).")
        return self

    @property
    def order_name(self) -> str:
        return self.sort

    def filters(self, today: date) -> RequestFilters:
        """Return the arguments of the query of the list."""
        return {
            "order": self.sorts[self.sort.removeprefix("-")] if self.sort else "",
            "descending": self.sort.startswith("-"),
            "status": self.status or "",
            "stage": self.stage or "",
            "unit": self.unit,
            "scope": self.scope or "",
            "lead": self.lead,
            "search": self.search,
            "submitted_from": self.submitted_from,
            "submitted_to": self.submitted_to,
            "overdue_on": today if self.overdue else None,
            "after": self.after_key,
            "before": self.before_key,
            "limit": self.limit,
        }

    @property
    def active_filters(self) -> dict[str, str]:
        """The filters that are set, by their parameters."""
        values: dict[str, Any] = {
            "search": self.search,
            "unit": self.unit,
            "scope": self.scope,
            "lead": self.lead,
            "stage": self.stage,
            "overdue": "true" if self.overdue else "",
            "from": self.submitted_from,
            "to": self.submitted_to,
        }
        return {name: str(value) for name, value in values.items() if value}


_TYPED_DAY = re.compile(
    r"(?:[a-z]{3,6},? )?([0-9]{1,2})(?:[/.-]| )([0-9]{1,2}|[a-z]{3,9}\.?)(?:[/.-]| )([0-9]{4})", re.ASCII
)
_SHORT_MONTHS = {"ags": 8, "agt": 8, "nop": 11}
"""Usual abbreviations that are no beginning of the month's name."""


def page_values(data: Any) -> Any:
    """Treat blank fields of a page's filter form as absent, and accept days typed as 23/11/2026 or 23 November 2026.

    For use as a `model_validator(mode="before")`. Raises ValueError for a day of another form.
    """
    given = drop_blank_values(data)
    if isinstance(given, dict):
        for name in ("from", "to"):
            if isinstance(value := given.get(name), str):
                given[name] = _parse_typed_day(value)
    return given


def _parse_typed_day(text: str) -> str:
    """Return the ISO form of a day; an ISO date is returned as it is. Raises ValueError for any other text."""
    if ISO_DATE.fullmatch(text.strip()):
        return text
    typed = _TYPED_DAY.fullmatch(" ".join(text.lower().split()))
    month = _month(typed[2].removesuffix(".")) if typed else 0
    if typed is None or not month:
        raise ValueError(_DAY_MESSAGE)
    try:
        return date(int(typed[3]), month, int(typed[1])).isoformat()
    except ValueError as error:
        raise ValueError(_DAY_MESSAGE) from error


def _month(text: str) -> int:
    """Return the number of a month that is written in digits or with at least three letters of its name, 0 for none."""
    if text.isdecimal():
        return int(text)
    names = [number for number, name in enumerate(MONTHS, 1) if name.lower().startswith(text)]
    return names[0] if len(names) == 1 else _SHORT_MONTHS.get(text, 0)
