"""Wires assignment: the head's and the leads' calls and consoles, and the page that a handover record's QR code opens."""

from __future__ import annotations

from services.assignment import api, pages
from services.assignment.decider import decider
from services.assignment.domain.decisions import Rules
from services.assignment.handover_service import HandoverService
from services.assignment.service import AssignmentService
from shared.backends.platform import Platform
from shared.runtime.service_runtime import ServiceApp, ServiceRuntime


def build(platform: Platform) -> ServiceApp:
    """The assignment service on this platform."""
    rules = Rules(platform.calendar)
    request_decider = decider(rules)
    store = platform.state_store(request_decider.service, request_decider.indexed_columns)
    runtime = ServiceRuntime(request_decider, store, platform.log, platform.clock)
    desk, completion = AssignmentService(runtime, platform, rules), HandoverService(runtime.executor, platform)
    return ServiceApp(runtime, (api.router(desk, completion), *pages.routers(desk, completion)))
