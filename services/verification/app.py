"""Wiring of verification."""

from __future__ import annotations

from services.verification import api
from services.verification.decider import decider
from services.verification.pages import bulk, queue, request, team
from services.verification.service import VerificationService
from services.verification.staff_work import ClaimedWork
from shared.backends.platform import Platform
from shared.runtime.due_renewal import DueRenewal
from shared.runtime.service_runtime import ServiceApp, ServiceRuntime
from shared.web.dependencies import BoundRouter


def build(platform: Platform) -> ServiceApp:
    """Build the verification service on this platform."""
    verification_decider = decider(platform.rules, platform.checklists)
    store = platform.state_store(verification_decider.service, verification_decider.indexed_columns)
    runtime = ServiceRuntime(verification_decider, store, platform.log, platform.clock)
    renewal = DueRenewal(verification_decider, store, platform.rules)
    runtime.add_background("due days", renewal.run)
    service = VerificationService(runtime, platform)
    return ServiceApp(
        runtime,
        (BoundRouter(api.router, queue.router, bulk.router, request.router, team.router, services=(service,)),),
        staff_work=ClaimedWork(runtime.executor),
    )
