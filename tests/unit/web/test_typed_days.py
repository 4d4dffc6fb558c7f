"""Days that are typed into the filters of a page."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError

from services.verification.schemas import QueuePageQuery
from shared.web.api.validation import field_errors


@pytest.mark.parametrize(
    "typed",
    [
        *("2026-11-03", "3/11/2026", "03-11-2026", "3.11.2026", "3 November 2026", " 3  nov 2026 ", "03 Nov. 2026"),
        *("Selasa, 3 November 2026", "3 Nop 2026", "3 11 2026"),
    ],
)
def test_a_day_is_typed_in_the_usual_forms(typed: str):
    query = QueuePageQuery.model_validate({"from": typed, "to": ""})
    assert (query.submitted_from, query.submitted_to) == (date(2026, 11, 3), None)


@pytest.mark.parametrize(("typed", "day"), [("17 Agt 2026", date(2026, 8, 17)), ("1 Mei 2026", date(2026, 5, 1))])
def test_months_are_abbreviated_as_usual(typed: str, day: date):
    assert QueuePageQuery.model_validate({"to": typed}).submitted_to == day


@pytest.mark.parametrize(
    "typed", ["kemarin", "31/02/2026", "3 Ju 2026", "3 Juno 2026", "3/13/2026", "3 November", "٣/11/2026"]
)
def test_another_text_is_refused_with_an_example(typed: str):
    with pytest.raises(ValidationError) as refused:
        QueuePageQuery.model_validate({"from": typed})
    (error,) = field_errors(refused.value.errors())
    assert error.message == "Tulis tanggal seperti 23/11/2026 atau 23 November 2026."
