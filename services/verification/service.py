"""Wires verification: officers' requests, and pictures of the documents that they read."""

from __future__ import annotations

from services.verification import api, pages
from services.verification.desk import VerificationService
from services.verification.domain import Rules, decider
from shared.documents.kept_pages import PageImageCache
from shared.documents.pages import PageRenderer
from shared.platform import Platform
from shared.runtime.service import ServiceApp, ServiceRuntime


def build(platform: Platform) -> ServiceApp:
    """The verification service on this platform."""
    rules = Rules(platform.calendar)
    heart = decider(rules)
    store = platform.state_store(heart.service, heart.indexed_columns)
    runtime = ServiceRuntime(heart, store, platform.log, platform.clock)
    desk = VerificationService(runtime, platform, rules, PageImageCache(platform.documents, PageRenderer()))
    return ServiceApp(runtime, (api.router(desk), pages.router(desk)))
