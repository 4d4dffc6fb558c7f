"""Wires intake: its routes for applicants, and the timers by which silence decides."""

from __future__ import annotations

from services.intake.api import router
from services.intake.decider import decider
from services.intake.domain.decisions import Rules
from services.intake.pages.router import pages
from services.intake.service import IntakeService
from shared.backends.platform import Platform
from shared.runtime.service_runtime import ServiceApp, ServiceRuntime


def build(platform: Platform) -> ServiceApp:
    """The intake service on this platform."""
    heart = decider(Rules())
    store = platform.state_store(heart.service, heart.indexed_columns)
    runtime = ServiceRuntime(heart, store, platform.log, platform.clock)
    desk = IntakeService(runtime, platform)
    return ServiceApp(runtime, (router(desk), *pages(desk)))
