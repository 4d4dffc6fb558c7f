"""The pages of the structural head, of the leads, and the public check of handover records."""

from __future__ import annotations

from shared.web.views.rendering import Templates

QUEUE_PATH, LEADS_PATH, WORK_PATH = "/penugasan", "/beban-kerja", "/pekerjaan"

templates = Templates("services.assignment")
