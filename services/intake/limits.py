"""Limits of the paths that applicants use without an account."""

from __future__ import annotations

import re

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
