"""The pages of assignment: the console of the structural head, that of the leads, and the check of a handover record."""

from __future__ import annotations

from fastapi import APIRouter

from services.assignment import handover_pages, head_pages, lead_pages, record_pages
from services.assignment.completion import HandoverService
from services.assignment.console import StaffPages
from services.assignment.desk import AssignmentService


def routers(desk: AssignmentService, completion: HandoverService) -> tuple[APIRouter, ...]:
    """All routes that people open."""
    console = StaffPages(desk)
    return (
        head_pages.router(console),
        lead_pages.router(console),
        handover_pages.router(console, completion),
        record_pages.router(desk),
    )
