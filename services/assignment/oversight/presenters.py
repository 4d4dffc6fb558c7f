"""Figures of oversight as responses of the API and as values of pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.assignment.errors import WORDS
from services.assignment.oversight.dashboard import LEAD_TARGET, Dashboard
from services.assignment.oversight.figures import median, ninetieth_percentile
from services.assignment.oversight.periods import Period
from services.assignment.oversight.public_figures import PublicFigures
from services.assignment.oversight.register import RegisterPart
from services.assignment.oversight.satisfaction import ELEMENTS, SurveySums
from services.assignment.oversight.service import SurveyReport
from shared.contracts.facts import Scope
from shared.contracts.stages import Stage
from shared.web.api.lists import encode_cursor
from shared.web.views.labels import SCOPE_LABELS

ELEMENT_NAMES: tuple[str, ...] = tuple(WORDS.survey.elements)
BAND_LABELS: Mapping[str, str] = {name: WORDS.survey.qualities[name] for name in WORDS.survey.qualities}


def scope_name(scope: Scope | None) -> str:
    return SCOPE_LABELS[scope] if scope else str(WORDS.period.all_scopes)


def present_dashboard(dashboard: Dashboard) -> dict[str, Any]:
    """Return the dashboard as a response."""
    figures, waiting = dashboard.figures, dashboard.open
    return {
        "first": dashboard.period.first,
        "last": dashboard.period.last,
        "scope": dashboard.scope,
        "unit": dashboard.unit,
        "updated_at": dashboard.updated_at,
        "open": [
            {"stage": stage, "ages": list(ages), "total": sum(ages), "overdue": waiting.overdue[stage]}
            for stage, ages in waiting.ages.items()
        ],
        "oldest_due": waiting.oldest_due,
        "months": [
            {"month": month, "submitted": counts.submitted, "completed": counts.completed, "ended": counts.ended}
            for month, counts in dashboard.months.items()
        ],
        "stages": [present_stage_days(dashboard, stage) for stage in Stage],
        "leads": [{**lead, "target": LEAD_TARGET} for lead in dashboard.leads],
        "returned": figures.returned,
        "failed_items": [
            {"item": item, "label": label, "count": figures.failed_items[item]}
            for item, label in dashboard.checklist.items()
        ],
        "survey": {
            "n": figures.survey.n,
            "ikm": figures.survey.ikm,
            "band": figures.survey.band,
            "ikm_before": dashboard.before.survey.ikm,
            "elements": present_elements(figures.survey),
        },
    }


def present_stage_days(dashboard: Dashboard, stage: Stage) -> dict[str, Any]:
    histogram: Mapping[int, int] = dashboard.figures.days.get(stage.value, {})
    return {
        "stage": stage,
        "count": sum(histogram.values()),
        "median": median(histogram),
        "p90": ninetieth_percentile(histogram),
        "target": dashboard.targets[stage],
    }


def present_elements(sums: SurveySums) -> list[dict[str, Any]]:
    return [
        {"code": code, "name": ELEMENT_NAMES[index], "mean": sums.mean(index), "band": sums.element_band(index)}
        for index, code in enumerate(ELEMENTS)
    ]


def present_public(figures: PublicFigures) -> dict[str, Any]:
    """Return the public figures as a response."""
    survey = figures.survey
    return {
        "first": figures.period.first,
        "last": figures.period.last,
        "requests": figures.requests,
        "completed": figures.completed,
        "median_working_days": figures.median_days,
        "survey_from": figures.survey_period.first,
        "survey_to": figures.survey_period.last,
        "n": survey.n or None,
        "ikm": survey.ikm,
        "band": survey.band,
    }


def present_survey(report: SurveyReport) -> dict[str, Any]:
    """Return the satisfaction report as a response."""
    sums = report.sums
    return {
        "first": report.period.first,
        "last": report.period.last,
        "scope": report.scope,
        "n": sums.n,
        "elements": present_elements(sums),
        "ikm": sums.ikm,
        "band": sums.band,
        "comments": list(report.comments),
    }


def present_register(part: RegisterPart, month: Period) -> dict[str, Any]:
    """Return a part of the register of a month as a response."""
    return {
        "month": f"{month.first:%Y-%m}",
        "items": part.entries,
        "next": encode_cursor(part.next) if part.next else None,
        "previous": encode_cursor(part.previous) if part.previous else None,
        "total": part.total,
    }
