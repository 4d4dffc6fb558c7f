"""Wires assignment: the head's and the leads' calls, and the page that a handover record's QR code opens."""

from __future__ import annotations

from services.assignment import api, pages
from services.assignment.completion import Completion
from services.assignment.domain import Rules, decider
from shared.platform import Platform
from shared.runtime.service import Service, ServiceRuntime


def build(platform: Platform) -> Service:
    """The assignment service on this platform."""
    heart = decider(Rules(platform.calendar))
    store = platform.state_store(heart.service, heart.indexed)
    runtime = ServiceRuntime(heart, store, platform.log, platform.clock)
    completion = Completion(runtime.executor, platform)
    return Service(runtime, (api.router(runtime, platform, completion), pages.router(runtime, platform)))
