from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from shared.web.api.validation import IsoDate, RequestBody


class Planned(RequestBody):
    day: IsoDate


def test_a_date_is_year_month_day() -> None:
    assert Planned.model_validate({"day": "2026-03-31"}).day == date(2026, 3, 31)


@pytest.mark.parametrize(
    "written", [0, 1795392000, "0", "1795392000", "31-03-2026", "2026-02-30", "2026-03-31T00:00", True]
)
def test_other_date_notations_are_refused(written: Any) -> None:
    with pytest.raises(ValidationError):
        Planned.model_validate({"day": written})
