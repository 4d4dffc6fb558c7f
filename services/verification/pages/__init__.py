"""The pages of officers."""

from __future__ import annotations

from shared.web.views.rendering import Templates

QUEUE_PATH = "/verifikasi"

templates = Templates("services.verification")
