"""Wiring of intake."""

from __future__ import annotations

from services.intake import api
from services.intake.decider import decider
from services.intake.domain.decisions import Rules
from services.intake.limits import LIMITS
from services.intake.pages import actions, contact, documents, information, resubmission, submission, tracking
from services.intake.service import IntakeService
from shared.backends.platform import Platform
from shared.runtime.service_runtime import ServiceApp, ServiceRuntime
from shared.web.dependencies import BoundRouter

ROUTERS = (
    api.router,
    submission.router,
    information.router,
    tracking.router,
    documents.router,
    actions.router,
    contact.router,
    resubmission.router,
    resubmission.upload_router,
)


def build(platform: Platform) -> ServiceApp:
    """Build the intake service on this platform."""
    intake_decider = decider(Rules())
    store = platform.state_store(intake_decider.service, intake_decider.indexed_columns)
    runtime = ServiceRuntime(intake_decider, store, platform.log, platform.clock)
    return ServiceApp(runtime, (BoundRouter(*ROUTERS, services=(IntakeService(runtime, platform),), limits=LIMITS),))
