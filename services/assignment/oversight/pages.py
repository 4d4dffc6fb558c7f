"""The pages of oversight."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response

from services.assignment.errors import WORDS
from services.assignment.oversight import charts, stage_chart
from services.assignment.oversight.api import PUBLIC_CACHE, Oversight, RequestedDashboard
from services.assignment.oversight.periods import Period, month_of, months_back
from services.assignment.oversight.presenters import present_survey
from services.assignment.oversight.public_figures import MIN_COUNT
from services.assignment.oversight.register import MAX_REGISTER_ENTRIES
from services.assignment.oversight.schemas import PeriodQuery, RegisterQuery
from services.assignment.oversight.tiles import tiles
from services.assignment.pages import templates
from services.assignment.pages.staff_page import HeadPage
from shared.contracts.facts import Scope
from shared.storage.port import BoundedCount
from shared.web.api.lists import encode_cursor
from shared.web.auth.access import public
from shared.web.views.formats import format_date
from shared.web.views.labels import SCOPE_LABELS
from shared.web.views.page_routes import PageRoute
from shared.web.views.request_list import ListLinks, ListPart
from shared.work_units import WORK_UNITS

DASHBOARD_PATH = "/dasbor"
PUBLIC_PATH = "/kinerja"
REGISTER_PATH = f"{DASHBOARD_PATH}/register"
SURVEY_PATH = f"{DASHBOARD_PATH}/kepuasan"
OFFERED_MONTHS = 36
REGISTER_PAGE_SIZE = 100

router = APIRouter(route_class=PageRoute, include_in_schema=False)


Choices = Sequence[tuple[str, str]]


class PeriodChoice:
    """The months that a page offers, newest first, and what is chosen."""

    def __init__(
        self, period: Period, today: date, scope: Scope | None = None, units: Choices = (), unit: str = ""
    ) -> None:
        months = [month_of(months_back(today, count)) for count in range(OFFERED_MONTHS)]
        first_days = _with_chosen([(str(month.first), month.label) for month in months], period.first)
        last_days = _with_chosen([(str(month.last), month.label) for month in months], period.last)
        scopes = [("", WORDS.period.all_scopes), *SCOPE_LABELS.items()]
        self.fields: list[tuple[str, str, Choices, str]] = [
            ("from", WORDS.period.from_month, first_days, str(period.first)),
            ("to", WORDS.period.to_month, last_days, str(period.last)),
            ("scope", WORDS.period.scope, scopes, scope.value if scope else ""),
        ]
        if units:
            self.fields.append(("unit", WORDS.period.unit, units, unit))

    @property
    def query(self) -> str:
        """The choice as the query of a file with the same figures."""
        return urlencode({name: value for name, _label, _options, value in self.fields if value})


def _with_chosen(options: list[tuple[str, str]], day: date) -> list[tuple[str, str]]:
    if str(day) in dict(options):
        return options
    month = month_of(day)
    return [(str(day), month.label if day in (month.first, month.last) else format_date(day)), *options]


Page = Annotated[HeadPage, Depends()]


@router.get(DASHBOARD_PATH)
async def show_dashboard(dashboard: RequestedDashboard, page: Page, oversight: Oversight) -> Response:
    """Show the figures of a period, and of the requests that are open now."""
    units = [("", WORDS.period.all_units), *((unit.name, unit.name) for unit in WORK_UNITS)]
    return await page.render(
        "dashboard.html",
        choice=PeriodChoice(dashboard.period, oversight.today(), dashboard.scope, units, dashboard.unit),
        period=dashboard.period,
        updated_at=dashboard.updated_at,
        progress=dashboard.progress,
        tiles=tiles(dashboard, oversight.today(), page.assignment.rules.calendar),
        ages=list(zip(charts.AGE_FILLS, WORDS.dashboard.ages, strict=True)),
        open=charts.open_chart(dashboard),
        months=charts.months_chart(dashboard),
        stages=stage_chart.stages_chart(dashboard),
        leads=charts.leads_chart(dashboard),
        returns=charts.returns_chart(dashboard),
        satisfaction=charts.survey_chart(dashboard.figures.survey),
        survey=SURVEY_PATH,
        register=REGISTER_PATH,
    )


@router.get(SURVEY_PATH)
async def show_survey(query: Annotated[PeriodQuery, Query()], page: Page, oversight: Oversight) -> Response:
    """Show the satisfaction report of a period."""
    report = await oversight.survey_report(query.period(oversight.today()), query.scope)
    choice = PeriodChoice(report.period, oversight.today(), query.scope)
    return await page.render(
        "survey.html",
        report=present_survey(report),
        chart=charts.survey_chart(report.sums),
        period=report.period,
        choice=choice,
    )


@router.get(REGISTER_PATH)
async def show_register(query: Annotated[RegisterQuery, Query()], page: Page, oversight: Oversight) -> Response:
    """Show a part of the register of a month."""
    month, today = query.period(oversight.today()), oversight.today()
    limit = min(query.limit, REGISTER_PAGE_SIZE)
    part = await oversight.register(month, query.after_key, query.before_key, limit)
    months = [month_of(months_back(today, count)) for count in range(OFFERED_MONTHS)]
    offered = {f"{listed.first:%Y-%m}": listed.label for listed in [*months, month]}
    name = f"{month.first:%Y-%m}"
    links, shown = ListLinks(REGISTER_PATH, {"month": name}), {"after": query.after, "before": query.before}
    pdf = ListLinks("/api/assignment/register.pdf", {"month": name})
    return await page.render(
        "register.html",
        lines=part.lines,
        part=ListPart(part.first_number, part.last_number, BoundedCount(part.total)) if part.entries else None,
        total=part.total,
        previous=links.url(before=encode_cursor(part.previous)) if part.previous else "",
        next=links.url(after=encode_cursor(part.next)) if part.next else "",
        pdf=pdf.url(**shown) if part.total > MAX_REGISTER_ENTRIES else pdf.url(),
        month=month,
        fields=[("month", WORDS.dashboard.month, list(offered.items()), name)],
    )


@router.get(PUBLIC_PATH, dependencies=[Depends(public())])
async def show_public_figures(request: Request, oversight: Oversight) -> Response:
    """Show the figures that everybody may read."""
    response = templates(request, "public_figures.html", figures=await oversight.public_figures(), least=MIN_COUNT)
    response.headers["Cache-Control"] = PUBLIC_CACHE
    return response
