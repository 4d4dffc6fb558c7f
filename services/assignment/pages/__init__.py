"""The pages of assignment: the console of the structural head, that of the leads, and the check of a handover record."""

from __future__ import annotations

from fastapi import APIRouter

from services.assignment.handover_service import HandoverService
from services.assignment.pages import handover, head, lead, record_check
from services.assignment.pages.staff_list import StaffPages
from services.assignment.service import AssignmentService


def routers(desk: AssignmentService, completion: HandoverService) -> tuple[APIRouter, ...]:
    """All routes that people open."""
    console = StaffPages(desk)
    return (
        head.router(console),
        lead.router(console),
        handover.router(console, completion),
        record_check.router(desk),
    )
