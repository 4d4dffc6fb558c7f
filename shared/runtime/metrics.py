"""What the runtime counts, in Prometheus' terms. A label is one of a few words of ours, never what a person wrote."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

COMMANDS = Histogram("simpul_command_seconds", "Time that a command took", ["service", "command"])
EVENTS = Counter("simpul_events_total", "Events met in the log", ["service", "outcome"])
PUBLISHED = Counter("simpul_published_total", "Events handed to the log", ["service"])
OUTBOX = Gauge(
    "simpul_outbox_entries", "Events saved and not yet in the log, when the outbox was last read", ["service"]
)
OLDEST = Gauge(
    "simpul_outbox_oldest_timestamp_seconds", "When the oldest of them happened, 0 if there is none", ["service"]
)
LAG = Gauge("simpul_consumer_lag_records", "Records of the log that the service has still to be given", ["service"])
DEAD_LETTERS = Counter("simpul_dead_letters_total", "Events parked as dead letters by this process", ["service"])
PARKED = Gauge("simpul_dead_letters_parked", "Dead letters that are parked now", ["service"])
MESSAGES = Counter("simpul_messages_total", "Tries to hand an e-mail to the mail server, by outcome", ["outcome"])

for _outcome in ("sent", "permanent", "temporary", "unknown", "given_up"):
    MESSAGES.labels(_outcome)  # one that never happened is 0, not absent
