"""Wires verification: officers' requests, and pictures of the documents that they read."""

from __future__ import annotations

from services.verification.api import router
from services.verification.domain import Rules, decider
from shared.documents.pages import PageImages
from shared.platform import Platform
from shared.runtime.service import Service, ServiceRuntime


def build(platform: Platform) -> Service:
    """The verification service on this platform."""
    rules = Rules(platform.calendar)
    heart = decider(rules)
    store = platform.state_store(heart.service, heart.indexed)
    runtime = ServiceRuntime(heart, store, platform.log, platform.clock)
    return Service(runtime, (router(runtime, platform, rules, PageImages()),))
