"""The JSON API of oversight: dashboard, satisfaction report and register for heads, and the public figures."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from services.assignment.dependencies import require_head
from services.assignment.oversight.dashboard import Dashboard
from services.assignment.oversight.dashboard_pdf import dashboard_pdf
from services.assignment.oversight.periods import Period
from services.assignment.oversight.presenters import present_dashboard, present_public, present_register, present_survey
from services.assignment.oversight.register import RegisterPart, register_pdf
from services.assignment.oversight.schemas import (
    DashboardQuery,
    DashboardResponse,
    PeriodQuery,
    PublicFiguresResponse,
    RegisterQuery,
    RegisterResponse,
    SurveyResponse,
)
from services.assignment.oversight.service import OversightService, SurveyReport
from services.assignment.oversight.survey_files import survey_pdf, survey_xlsx
from shared.documents.file_names import content_disposition
from shared.documents.media_types import PDF, XLSX
from shared.web.api.openapi import BINARY_SCHEMA, response_content
from shared.web.auth.access import GuardedRoute, public
from shared.web.dependencies import provide

PUBLIC_CACHE = "public, max-age=3600"

Oversight = Annotated[OversightService, Depends(provide(OversightService))]

router = APIRouter(
    prefix="/api/assignment", tags=["oversight"], route_class=GuardedRoute, dependencies=[Depends(require_head)]
)

public_router = APIRouter(
    prefix="/api/public", tags=["oversight"], route_class=GuardedRoute, dependencies=[Depends(public())]
)


def file_response(content: bytes, media_type: str, name: str) -> Response:
    return Response(content, media_type=media_type, headers={"Content-Disposition": content_disposition(name)})


@public_router.get("/figures", response_model=PublicFiguresResponse)
async def public_figures(oversight: Oversight, response: Response) -> dict[str, Any]:
    """Return the figures of the service that everybody may read; none of them is about a person."""
    response.headers["Cache-Control"] = PUBLIC_CACHE
    return present_public(await oversight.public_figures())


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


async def read_register(query: Annotated[RegisterQuery, Query()], oversight: Oversight) -> RegisterPart:
    return await oversight.register(query.period(oversight.today()), query.after_key, query.before_key, query.limit)


RequestedMonth = Annotated[RegisterQuery, Query()]
RequestedRegister = Annotated[RegisterPart, Depends(read_register)]


@router.get("/register", response_model=RegisterResponse)
async def register(query: RequestedMonth, part: RequestedRegister, oversight: Oversight) -> dict[str, Any]:
    """Return the register of a month: every request that was submitted in it, of very many a part."""
    return present_register(part, query.period(oversight.today()))


@router.get("/register.pdf", response_class=Response, responses={200: response_content(PDF, BINARY_SCHEMA)})
async def register_as_pdf(query: RequestedMonth, part: RequestedRegister, oversight: Oversight) -> Response:
    """Return the register of a month as PDF, of very many requests a part."""
    month = query.period(oversight.today())
    content = await asyncio.to_thread(register_pdf, part, month.first, oversight.today())
    return file_response(content, PDF, f"{_register_name(part, month)}.pdf")


def _register_name(part: RegisterPart, month: Period) -> str:
    name = f"Buku register {month.first:%Y-%m}"
    return name if len(part.entries) == part.total else f"{name} nomor {part.first_number} sampai {part.last_number}"


def _survey_name(report: SurveyReport) -> str:
    return f"SKM {report.period.first} sampai {report.period.last}"
