"""Wires verification: officers' requests, and pictures of the documents that they read."""

from __future__ import annotations

from services.verification import api
from services.verification.decider import decider
from services.verification.domain.decisions import Rules
from services.verification.pages import request
from services.verification.service import VerificationService
from shared.backends.platform import Platform
from shared.documents.rendering.page_cache import PageImageCache
from shared.documents.rendering.page_renderer import PageRenderer
from shared.runtime.service_runtime import ServiceApp, ServiceRuntime


def build(platform: Platform) -> ServiceApp:
    """The verification service on this platform."""
    rules = Rules(platform.calendar)
    heart = decider(rules)
    store = platform.state_store(heart.service, heart.indexed_columns)
    runtime = ServiceRuntime(heart, store, platform.log, platform.clock)
    desk = VerificationService(runtime, platform, rules, PageImageCache(platform.documents, PageRenderer()))
    return ServiceApp(runtime, (api.router(desk), request.router(desk)))
