"""Wiring of assignment."""

from __future__ import annotations

import re

from services.assignment import api
from services.assignment.decider import decider
from services.assignment.handover_service import HandoverService
from services.assignment.overdue_digests import OverdueDigests
from services.assignment.oversight import api as oversight_api
from services.assignment.oversight import pages as oversight_pages
from services.assignment.oversight.projection import FiguresProjection
from services.assignment.oversight.service import OversightService
from services.assignment.pages import bulk, documents, handover, head, lead, notes, overdue, record_check, target
from services.assignment.service import AssignmentService
from services.assignment.staff_work import LeadWork
from shared.backends.platform import Platform
from shared.runtime.due_renewal import DueRenewal
from shared.runtime.service_runtime import ServiceApp, ServiceRuntime
from shared.web.dependencies import BoundRouter
from shared.web.http.request_limits import RequestLimits, UploadPath

LIMITS = RequestLimits(
    uploads=(
        UploadPath(re.compile(r"/api/assignment/requests/[^/]+/completion|/pekerjaan/[^/]+/serahkan(?:/berkas)?")),
    )
)


def build(platform: Platform) -> ServiceApp:
    """Build the assignment service on this platform."""
    assignment_decider = decider(platform.rules)
    store = platform.state_store(assignment_decider.service, assignment_decider.indexed_columns)
    runtime = ServiceRuntime(assignment_decider, store, platform.log, platform.clock)
    service, handovers = AssignmentService(runtime, platform), HandoverService(runtime.executor, platform)
    digests = OverdueDigests(
        service.overdue, platform.accounts, platform.office, platform.substitutes, platform.clock, platform.rules
    )
    runtime.add_background("digests", digests.run)
    renewal = DueRenewal(assignment_decider, store, platform.rules)
    runtime.add_background("due days", renewal.run)
    oversight = OversightService(service, platform)
    figures = FiguresProjection(store, platform.office, lambda: platform.calendar, platform.clock)
    runtime.add_background("figures", figures.run)
    routers = (
        *(
            api.router,
            bulk.router,
            documents.router,
            head.router,
            notes.router,
            target.router,
            overdue.router,
            lead.router,
            handover.router,
            record_check.router,
        ),
        *(oversight_api.router, oversight_api.public_router, oversight_pages.router),
    )
    return ServiceApp(
        runtime,
        (BoundRouter(*routers, services=(service, handovers, oversight), limits=LIMITS),),
        staff_work=LeadWork(runtime.executor),
        moved_dues=service.moved_dues,
    )
