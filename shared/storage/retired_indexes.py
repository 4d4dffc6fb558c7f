"""Indexes of earlier versions that every store drops, because no list needs them."""

from __future__ import annotations

from collections.abc import Mapping

RETIRED_INDEXES: Mapping[str, tuple[str, ...]] = {
    "verification": (
        "by_advised_received_at",
        "by_claimed_by_received_at",
        "by_due",
        "by_lead_claimed_by",
        "by_stage_due",
        "open_status_received_at_7024fb17",
    ),
    "assignment": (
        "by_advised_submitted_at",
        "by_due",
        "by_lead_target_date",
        "by_open_submitted_at",
        "by_responsible_due",
        "by_stage_due",
        "open_lead_target_date",
        "open_stage_due",
        "open_stage_stage_since",
        "open_status_submitted_at_0acb3d7a",
    ),
    "notification": (
        "by_failed_newest",
        "by_queued_newest",
        "by_sending_newest",
        "by_sent_newest",
        "by_unknown_newest",
    ),
}
"""Names of indexes by service.

Processes of two versions may run on one store, and a query that names a missing index fails (INDEXED BY in SQLite, a hint in
MongoDB). An index that queries name is therefore retired one version after the last one that names it.
"""
