"""The calls of oversight."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from services.assignment.dependencies import require_head
from services.assignment.oversight.dashboard import Dashboard
from services.assignment.oversight.dashboard_pdf import dashboard_pdf
from services.assignment.oversight.presenters import present_dashboard, present_survey
from services.assignment.oversight.schemas import DashboardQuery, DashboardResponse, PeriodQuery, SurveyResponse
from services.assignment.oversight.service import OversightService, SurveyReport
from services.assignment.oversight.survey_files import survey_pdf, survey_xlsx
from shared.documents.file_names import content_disposition
from shared.web.api.openapi import BINARY_SCHEMA, response_content
from shared.web.auth.access import GuardedRoute
from shared.web.dependencies import provide

PDF = "application/pdf"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

Oversight = Annotated[OversightService, Depends(provide(OversightService))]

router = APIRouter(
    prefix="/api/assignment", tags=["oversight"], route_class=GuardedRoute, dependencies=[Depends(require_head)]
)


def file_response(content: bytes, media_type: str, name: str) -> Response:
    return Response(content, media_type=media_type, headers={"Content-Disposition": content_disposition(name)})


async def survey_report(query: Annotated[PeriodQuery, Query()], oversight: Oversight) -> SurveyReport:
    return await oversight.survey_report(query.period(oversight.today()), query.scope)


Report = Annotated[SurveyReport, Depends(survey_report)]


async def read_dashboard(query: Annotated[DashboardQuery, Query()], oversight: Oversight) -> Dashboard:
    return await oversight.dashboard(query.months(oversight.today()), query.scope, query.unit)


RequestedDashboard = Annotated[Dashboard, Depends(read_dashboard)]


@router.get("/dashboard", response_model=DashboardResponse)
async def dashboard(requested: RequestedDashboard) -> dict[str, Any]:
    """Return the figures of a period of whole months, and of the requests that are open now."""
    return present_dashboard(requested)


@router.get("/dashboard.pdf", response_class=Response, responses={200: response_content(PDF, BINARY_SCHEMA)})
async def dashboard_as_pdf(requested: RequestedDashboard, oversight: Oversight) -> Response:
    """Return the figures of the dashboard as PDF."""
    content = await asyncio.to_thread(dashboard_pdf, requested, oversight.today())
    return file_response(content, PDF, f"Dasbor {requested.period.first} sampai {requested.period.last}.pdf")


@router.get("/survey", response_model=SurveyResponse)
async def survey(report: Report) -> dict[str, Any]:
    """Return the satisfaction report (SKM) of a period by Permenpan RB 14/2017."""
    return present_survey(report)


@router.get("/survey.pdf", response_class=Response, responses={200: response_content(PDF, BINARY_SCHEMA)})
async def survey_as_pdf(report: Report, oversight: Oversight) -> Response:
    """Return the satisfaction report as PDF."""
    content = await asyncio.to_thread(survey_pdf, report, oversight.today())
    return file_response(content, PDF, f"{_survey_name(report)}.pdf")


@router.get("/survey.xlsx", response_class=Response, responses={200: response_content(XLSX, BINARY_SCHEMA)})
async def survey_as_xlsx(report: Report) -> Response:
    """Return the satisfaction report as XLSX, with the comments on a sheet of their own."""
    content = await asyncio.to_thread(survey_xlsx, report)
    return file_response(content, XLSX, f"{_survey_name(report)}.xlsx")


def _survey_name(report: SurveyReport) -> str:
    return f"SKM {report.period.first} sampai {report.period.last}"
