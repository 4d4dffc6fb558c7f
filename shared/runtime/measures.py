"""What the runtime counts, in Prometheus' terms."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

COMMANDS = Histogram("simpul_command_seconds", "Time that a command took", ["service", "command"])
EVENTS = Counter("simpul_events_total", "Events met in the log", ["service", "outcome"])
PUBLISHED = Counter("simpul_published_total", "Events handed to the log", ["service"])
OUTBOX = Gauge("simpul_outbox_waiting", "Events saved and not yet in the log", ["service"])
DEAD_LETTERS = Counter("simpul_dead_letters_total", "Events parked as dead letters", ["service"])
MESSAGES = Counter("simpul_messages_total", "E-mails by outcome", ["outcome"])
