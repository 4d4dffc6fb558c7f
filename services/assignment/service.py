"""Wires assignment: the head's and the leads' calls and consoles, and the page that a handover record's QR code opens."""

from __future__ import annotations

from services.assignment import api, pages
from services.assignment.completion import Completion
from services.assignment.desk import Desk
from services.assignment.domain import Rules, decider
from shared.platform import Platform
from shared.runtime.service import Service, ServiceRuntime


def build(platform: Platform) -> Service:
    """The assignment service on this platform."""
    rules = Rules(platform.calendar)
    heart = decider(rules)
    store = platform.state_store(heart.service, heart.indexed)
    runtime = ServiceRuntime(heart, store, platform.log, platform.clock)
    desk, completion = Desk(runtime, platform, rules), Completion(runtime.executor, platform)
    return Service(runtime, (api.router(desk, completion), *pages.routers(desk, completion)))
