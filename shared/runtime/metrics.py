"""Metrics of the runtime. Label values come from a fixed set and never hold user input.

The mode of a gauge says how the values of several workers become one.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

COMMANDS = Histogram("simpul_command_seconds", "Duration of a command", ["service", "command"])
EVENTS = Counter("simpul_events_total", "Events consumed from the log", ["service", "outcome"])
PUBLISHED = Counter("simpul_published_total", "Events published to the log", ["service"])
OUTBOX = Gauge(
    "simpul_outbox_entries",
    "Events saved and not yet published, when the outbox was last read",
    ["service"],
    multiprocess_mode="livesum",
)
OLDEST = Gauge(
    "simpul_outbox_oldest_timestamp_seconds",
    "Time of the oldest unpublished event, 0 if there is none",
    ["service"],
    multiprocess_mode="livesum",
)
LAG = Gauge(
    "simpul_consumer_lag_records",
    "Log records that the service has not consumed yet",
    ["service"],
    multiprocess_mode="livemax",
)
DEAD_LETTERS = Counter("simpul_dead_letters_total", "Events parked as dead letters by this process", ["service"])
PARKED = Gauge("simpul_dead_letters_parked", "Dead letters currently parked", ["service"], multiprocess_mode="livemax")
MESSAGES = Counter("simpul_messages_total", "Attempts to send an email, by outcome", ["outcome"])

for _outcome in ("sent", "permanent", "temporary", "unknown", "given_up"):
    MESSAGES.labels(_outcome)  # initialised, so that an outcome that never occurred is 0 and not absent
