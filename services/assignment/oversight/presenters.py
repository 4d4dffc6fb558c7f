"""Figures of oversight as responses of the API and as values of pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.assignment.errors import WORDS
from services.assignment.oversight.satisfaction import ELEMENTS
from services.assignment.oversight.service import SurveyReport
from shared.contracts.facts import Scope
from shared.web.views.labels import SCOPE_LABELS

ELEMENT_NAMES: tuple[str, ...] = tuple(WORDS.survey.elements)
QUALITY_LABELS: Mapping[str, str] = {name: WORDS.survey.qualities[name] for name in WORDS.survey.qualities}


def scope_name(scope: Scope | None) -> str:
    return SCOPE_LABELS[scope] if scope else str(WORDS.period.all_scopes)


def present_survey(report: SurveyReport) -> dict[str, Any]:
    """Return the satisfaction report as a response."""
    sums = report.sums
    return {
        "first": report.period.first,
        "last": report.period.last,
        "scope": report.scope,
        "n": sums.n,
        "elements": [
            {
                "code": code,
                "name": ELEMENT_NAMES[index],
                "mean": sums.mean(index),
                "band": sums.element_quality(index),
            }
            for index, code in enumerate(ELEMENTS)
        ],
        "ikm": sums.index,
        "band": sums.quality,
        "comments": list(report.comments),
    }
