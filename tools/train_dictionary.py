"""Train a dictionary for stored events and records on generated requests: `python -m tools.train_dictionary NAME`.

Write a new file beside those that exist, and name it in `shared/storage/compression.py`; stored values need the earlier ones.
"""

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime

import zstandard

from bench.store import StorePlan, make_batch, submissions
from shared.calendar import official_calendar
from shared.storage.compression import DICTIONARIES

REQUESTS = 1_500
SAMPLES = {"event": 5_000, "record": 3_000}
SIZE = 48 * 1024


def main() -> None:
    path = DICTIONARIES / sys.argv[1]
    if path.exists():
        raise SystemExit(f"{path.name} exists; stored values need it.")
    plan = StorePlan(REQUESTS, datetime(2026, 11, 1, tzinfo=UTC), own_documents=True)
    records = make_batch(plan, list(submissions(plan, official_calendar()))).records
    events = [event for _, events in records.events for event in events]
    bodies = [write.record.body for writes in records.writes.values() for write in writes]
    rng = random.Random(1)  # noqa: S311 - samples, no secret
    samples = [*rng.sample(events, SAMPLES["event"]), *rng.sample(bodies, SAMPLES["record"])]
    path.write_bytes(zstandard.train_dictionary(SIZE, samples, level=3).as_bytes())
    print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
