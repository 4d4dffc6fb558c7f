"""Wires verification: officers' requests, and pictures of the documents that they read."""

from __future__ import annotations

from services.verification import api, pages
from services.verification.desk import Desk
from services.verification.domain import Rules, decider
from shared.documents.kept_pages import KeptPages
from shared.documents.pages import PageImages
from shared.platform import Platform
from shared.runtime.service import Service, ServiceRuntime


def build(platform: Platform) -> Service:
    """The verification service on this platform."""
    rules = Rules(platform.calendar)
    heart = decider(rules)
    store = platform.state_store(heart.service, heart.indexed)
    runtime = ServiceRuntime(heart, store, platform.log, platform.clock)
    desk = Desk(runtime, platform, rules, KeptPages(platform.documents, PageImages()))
    return Service(runtime, (api.router(desk), pages.router(desk)))
