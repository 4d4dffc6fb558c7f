"""The pages for applicants, from the service's own to the survey."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from services.intake.pages.about import add_about_routes
from services.intake.pages.actions import add_action_routes
from services.intake.pages.request_pages import TrackingAccess
from services.intake.pages.resubmission import add_resubmission_routes
from services.intake.pages.submission import add_submission_routes
from services.intake.pages.tracking import add_tracking_routes
from services.intake.service import IntakeService
from shared.web.auth.access import PreBodyDependency
from shared.web.views.page_routes import PageRoute


def pages(desk: IntakeService) -> tuple[APIRouter, ...]:
    """Routes for everybody; those for files of one request ask for its key before they take anything in."""
    keyed = TrackingAccess(desk)
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)
    uploads = APIRouter(
        route_class=PageRoute,
        include_in_schema=False,
        dependencies=[Depends(PreBodyDependency(keyed.require_tracking_token))],
    )
    add_submission_routes(routes, keyed)
    add_about_routes(routes)
    add_tracking_routes(routes, keyed)
    add_action_routes(routes, keyed)
    add_resubmission_routes(routes, uploads, keyed)
    return routes, uploads
