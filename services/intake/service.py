"""Wires intake: its routes for applicants, and the timers by which silence decides."""

from __future__ import annotations

from services.intake.api import router
from services.intake.desk import Desk
from services.intake.domain import Rules, decider
from services.intake.pages import pages
from shared.platform import Platform
from shared.runtime.service import Service, ServiceRuntime


def build(platform: Platform) -> Service:
    """The intake service on this platform."""
    heart = decider(Rules())
    store = platform.state_store(heart.service, heart.indexed)
    runtime = ServiceRuntime(heart, store, platform.log, platform.clock)
    desk = Desk(runtime, platform)
    return Service(runtime, (router(desk), *pages(desk)))
