"""Wiring of intake."""

from __future__ import annotations

import re

from services.intake import api
from services.intake.decider import decider
from services.intake.domain.decisions import Rules
from services.intake.pages import actions, contact, documents, information, resubmission, submission, tracking
from services.intake.service import IntakeService
from shared.backends.platform import Platform
from shared.runtime.service_runtime import ServiceApp, ServiceRuntime
from shared.web.dependencies import BoundRouter
from shared.web.http.request_limits import RateRule, RequestLimits, UploadPath

FILES_PER_SUBMISSION = 4
"""Files uploaded before the form per allowed submission; a request with more files has to wait, but loses none."""
LOOKUPS_PER_SUBMISSION = 10
"""Look-ups of a request per allowed submission; a page polls more often than a person submits."""

LIMITS = RequestLimits(
    uploads=(
        UploadPath(re.compile(r"/|/lacak/[^/]+/(?:lengkapi|perbaiki)"), public=True, form=True),
        UploadPath(re.compile(r"/berkas|/lacak/[^/]+/lengkapi/berkas"), public=True),
        UploadPath(re.compile(r"/api/requests/?|/api/requests/[^/]+/resubmission"), public=True),
        UploadPath(re.compile(r"/api/requests/[^/]+"), public=True, methods=frozenset({"PATCH"})),
    ),
    rates=(
        RateRule("submissions", frozenset({"POST"}), re.compile(r"/|/lacak|/api/requests/?|/api/links")),
        RateRule("files", frozenset({"POST"}), re.compile(r"/berkas"), FILES_PER_SUBMISSION),
        # Each of these stores files that stay, or emails an address that the caller names.
        RateRule(
            "changes",
            frozenset({"POST", "PATCH"}),
            re.compile(r"/lacak/[^/]+/(?:kontak|perbaiki)|/api/requests/[^/]+(?:/contact)?"),
        ),
        RateRule(
            "look-ups",
            frozenset({"GET", "HEAD", "POST", "PATCH"}),
            re.compile(r"/(?:api/requests|lacak)/.+"),
            LOOKUPS_PER_SUBMISSION,
        ),
    ),
)
"""Limits of the paths that applicants use without an account."""

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
