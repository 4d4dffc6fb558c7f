"""The pages of assignment: the console of the structural head, that of the leads, and the check of a handover record."""

from __future__ import annotations

from fastapi import APIRouter

from services.assignment import handover_pages, head_pages, lead_pages, record_pages
from services.assignment.completion import Completion
from services.assignment.console import Console
from services.assignment.desk import Desk


def routers(desk: Desk, completion: Completion) -> tuple[APIRouter, ...]:
    """All routes that people open."""
    console = Console(desk)
    return (
        head_pages.router(console),
        lead_pages.router(console),
        handover_pages.router(console, completion),
        record_pages.router(desk),
    )
