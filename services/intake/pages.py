"""The pages for applicants, from the service's own to the survey."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from services.intake.about_pages import add_about_pages
from services.intake.action_pages import add_action_pages
from services.intake.completion_pages import add_completion_pages
from services.intake.desk import Desk
from services.intake.form_pages import add_form_pages
from services.intake.keyed_pages import Keyed
from services.intake.tracking_pages import add_tracking_pages
from shared.web.access import BeforeBody
from shared.web.page_routes import PageRoute


def pages(desk: Desk) -> tuple[APIRouter, ...]:
    """Routes for everybody; those for files of one request ask for its key before they take anything in."""
    keyed = Keyed(desk)
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)
    uploads = APIRouter(
        route_class=PageRoute, include_in_schema=False, dependencies=[Depends(BeforeBody(keyed.require_key))]
    )
    add_form_pages(routes, keyed)
    add_about_pages(routes)
    add_tracking_pages(routes, keyed)
    add_action_pages(routes, keyed)
    add_completion_pages(routes, uploads, keyed)
    return routes, uploads
