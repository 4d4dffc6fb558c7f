"""Stage durations and monthly figures, against values counted by hand on the calendar of November 2026."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from pydantic import TypeAdapter

from services.assignment.decider import decider
from services.assignment.domain.state import State, SurveyAnswers
from services.assignment.oversight import comments
from services.assignment.oversight.charts import sparkline, tick_step
from services.assignment.oversight.counted_requests import stored_course
from services.assignment.oversight.figures import (
    Figures,
    MonthlyTally,
    figures_from_json,
    median,
    merge,
    month_from_json,
    month_to_json,
    ninetieth_percentile,
    unit_name,
)
from services.assignment.oversight.periods import Period
from services.assignment.oversight.public_figures import public_figures, public_period, survey_period
from services.assignment.oversight.satisfaction import SurveySums
from services.assignment.oversight.stage_visits import StageVisit, stage_visits
from shared.calendar import WorkingCalendar
from shared.contracts.facts import ChecklistItem, Fact, Scope
from shared.contracts.stages import Stage, StageRules
from shared.storage.port import StateRecord
from tests.support.domain import request_events as tale
from tests.support.domain.given_when_then import make_event

CALENDAR = WorkingCalendar({date(2026, 11, 18): "Hari libur contoh"})
ASSIGNMENT = decider(lambda: StageRules(CALENDAR))
KEY = ("data", "Dinas Perhubungan")


def at(month: int, day: int) -> datetime:
    return datetime(2026, month, day, 1, tzinfo=UTC)


def fold(*steps: tuple[datetime, Fact]) -> State:
    state, sequences = ASSIGNMENT.initial(), Counter[str]()
    for time, fact in steps:
        sequences[fact.owner] += 1
        state = ASSIGNMENT.evolve(state, make_event(fact, sequences[fact.owner], time))
    return state


# 2 November 2026 is a Monday, the 18th a holiday.
WHOLE_COURSE = (
    (at(11, 2), tale.submitted),
    (at(11, 4), tale.returned_for(ChecklistItem.LETTER, ChecklistItem.DOCUMENTS)),  # verify 2
    (at(11, 9), tale.resubmitted),  # reply 3
    (at(11, 9), tale.verified.model_copy(update={"round": 2})),  # verify 0
    (at(11, 13), tale.assigned),  # appoint 4
    (at(11, 16), tale.started),  # start 1
    (at(11, 19), tale.paused),  # work 2, because of the holiday
    (at(11, 20), tale.answered),  # reply 1
    (at(11, 20), tale.resumed),
    (at(11, 24), tale.completed),  # work 2 more
    (at(11, 25), tale.contested),  # confirm 1
    (at(11, 26), tale.completed.model_copy(update={"delivery": 2})),  # work 1
    (at(12, 1), tale.confirmed.model_copy(update={"delivery": 2})),  # confirm 3
    (at(12, 2), tale.surveyed),
)


def test_the_stages_of_a_request_are_counted_in_working_days_without_pauses():
    visits = stage_visits(fold(*WHOLE_COURSE).history, CALENDAR.working_days_between)
    assert [(visit.stage.value, visit.days) for visit in visits] == [
        ("verify", 2),
        ("reply", 3),
        ("verify", 0),
        ("appoint", 4),
        ("start", 1),
        ("reply", 1),
        ("work", 4),
        ("confirm", 1),
        ("work", 1),
        ("confirm", 3),
    ]
    assert visits[6] == StageVisit(Stage.WORK, date(2026, 11, 24), 4)


def test_a_stage_that_a_rejection_broke_off_is_not_counted():
    history = fold((at(11, 2), tale.submitted), (at(11, 4), tale.verified), (at(11, 6), tale.rejected)).history
    assert [visit.stage for visit in stage_visits(history, CALENDAR.working_days_between)] == [Stage.VERIFY]


def test_everything_counts_in_the_month_in_which_it_happened():
    tally = MonthlyTally(CALENDAR)
    tally.add(fold(*WHOLE_COURSE))
    tally.add(fold((at(11, 30), tale.submitted), (at(12, 4), tale.withdrawn)))
    november, december = tally.months["2026-11"][KEY], tally.months["2026-12"][KEY]
    assert (november.submitted, november.ended, november.completed, november.returned) == (2, 0, 0, 1)
    assert november.failed_items == {"letter": 1, "documents": 1}
    assert november.days["verify"] == {2: 1, 0: 1}
    assert november.days["work"] == {4: 1, 1: 1}
    assert (december.submitted, december.ended, december.completed) == (0, 2, 1)
    # From 2 to 26 November there are 17 working days after the 2nd: four weeks but two days, without the holiday.
    assert december.days == {"confirm": {3: 1}, "total": {17: 1}}
    assert (december.survey.n, december.survey.ikm) == (1, Decimal("80.56"))


def test_earlier_months_are_left_out_and_the_others_are_the_same():
    whole, late = MonthlyTally(CALENDAR), MonthlyTally(CALENDAR, "2026-12")
    for tally in (whole, late):
        tally.add(fold(*WHOLE_COURSE))
    assert late.months == {"2026-12": whole.months["2026-12"]}


def test_a_month_survives_storage_and_merges_by_scope_and_unit():
    tally = MonthlyTally(CALENDAR)
    tally.add(fold(*WHOLE_COURSE))
    cells = tally.months["2026-11"]
    assert month_from_json(month_to_json(cells)) == cells[KEY]
    assert month_from_json(month_to_json(cells), lambda key: key[0] == "application") == Figures()
    doubled = merge([cells[KEY], figures_from_json(cells[KEY].to_json())])
    assert (doubled.submitted, doubled.days["work"], doubled.failed_items["letter"]) == (2, {4: 2, 1: 2}, 2)


def test_medians_and_percentiles_of_merged_histograms():
    assert (median({}), ninetieth_percentile({})) == (None, None)
    assert (median({3: 1}), ninetieth_percentile({3: 1})) == (3, 3)
    assert median({16: 2, 17: 2}) == 16.5
    assert median({1: 5, 20: 1}) == 1
    # Of ten visits nine took at most 7 days.
    assert ninetieth_percentile({2: 8, 7: 1, 30: 1}) == 7
    assert ninetieth_percentile({2: 9, 7: 1, 30: 1}) == 7


@pytest.mark.parametrize(
    ("highest", "step"),
    [(0, 1), (3, 1), (4, 2), (7, 5), (15, 5), (16, 10), (43, 20), (61, 50), (151, 100), (4000, 2000)],
)
def test_an_axis_has_three_round_steps(highest: int, step: int):
    assert tick_step(highest) == step


def test_a_sparkline_needs_two_values_and_spans_its_height():
    assert sparkline([None, 4.0]) is None
    assert sparkline([1.0, None, 3.0, 2.0]) == ("3.0,27.0 58.0,5.0 113.0,16.0", "16.0")


def answers(n: int, score: int) -> Figures:
    return Figures(survey=SurveySums(n, (n * score,) * 9))


def test_public_periods_end_with_the_last_whole_month_and_quarter():
    assert public_period(date(2026, 11, 27)) == Period(date(2025, 11, 1), date(2026, 10, 31))
    assert survey_period(date(2026, 11, 27)) == Period(date(2025, 10, 1), date(2026, 9, 30))
    assert survey_period(date(2026, 1, 1)) == Period(date(2025, 1, 1), date(2025, 12, 31))


def test_a_quarter_with_few_answers_is_left_out_of_the_public_index():
    # Four answers of 1 in the first quarter, and 2 + 3 answers of 4 and 3 in the second one.
    survey_months = {"2026-01": answers(4, 1), "2026-02": Figures(), "2026-03": Figures()}
    survey_months |= {"2026-04": answers(2, 4), "2026-05": answers(3, 3), "2026-06": Figures()}
    shown = public_figures(date(2026, 7, 1), {}, survey_months)
    assert (shown.survey.n, shown.survey.ikm) == (5, Decimal("85.00"))  # (2 x 4 + 3 x 3) / 5 x 25
    survey_months["2026-05"] = answers(2, 3)
    assert public_figures(date(2026, 7, 1), {}, survey_months).survey.n == 0


def test_a_public_median_needs_five_completed_requests():
    few = Figures(submitted=9, completed=4, days={"total": Counter({20: 4})})
    shown = public_figures(date(2026, 7, 1), {"2026-06": few}, {})
    assert (shown.requests, shown.completed, shown.median_days) == (9, 4, None)
    few.merge(Figures(completed=1, days={"total": Counter({30: 1})}))
    assert public_figures(date(2026, 7, 1), {"2026-06": few}, {}).median_days == 20


def test_units_that_the_form_does_not_offer_count_as_one():
    assert unit_name("Dinas Perhubungan") == "Dinas Perhubungan"
    assert unit_name("Panitia Pameran") == "Lainnya"


def test_figures_read_of_a_stored_state_what_they_need():
    state = fold(*WHOLE_COURSE[:-1], (at(12, 2), tale.surveyed.model_copy(update={"comment": "Cepat"})))
    course = stored_course(StateRecord("1", 1, TypeAdapter(State).dump_json(state)))
    whole, slim = MonthlyTally(CALENDAR), MonthlyTally(CALENDAR)
    whole.add(state)
    slim.add(course)
    assert slim.months == whole.months
    assert slim.comments_of("2026-12") == whole.comments_of("2026-12") != {}
    assert course.survey == state.survey
    assert stored_course(StateRecord("1", 1, TypeAdapter(State).dump_json(State()))).submitted_at is None


def test_the_newest_comments_of_a_month_are_kept_by_scope(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(comments, "MAX_COMMENTS", 2)
    kept = comments.MonthComments()
    for day, scope in ((4, Scope.DATA), (1, Scope.DATA), (3, Scope.DATA), (2, Scope.APPLICATION)):
        kept.add(scope, SurveyAnswers(at(12, day), (4,) * 9, f"day {day}"))
    stored = kept.to_json()
    assert comments.newest_of_month(stored, None) == ["day 4", "day 3", "day 2"]
    assert comments.newest_of_month(stored, Scope.DATA) == ["day 4", "day 3"]
    again = comments.MonthComments(stored)
    again.add(Scope.DATA, SurveyAnswers(at(12, 5), (4,) * 9, "day 5"))
    assert comments.newest_of_month(again.to_json(), Scope.DATA) == ["day 5", "day 4"]


def test_what_is_added_to_dropped_months_is_left_out():
    tally = MonthlyTally(CALENDAR)
    tally.add(fold(*WHOLE_COURSE))
    december = dict(tally.months["2026-12"])
    tally.drop_before("2026-12")
    assert tally.months == {"2026-12": december}
    tally.add(fold((at(11, 30), tale.submitted)))
    assert tally.months == {"2026-12": december}
