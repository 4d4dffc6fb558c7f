"""What aiokafka says while Kafka is away: each complaint once in a while, not thirty lines a second."""

from __future__ import annotations

import logging

from shared.observability.logging import rate_limit_logs

LOG_INTERVAL_SECONDS = 30.0
"""Seconds for which the same complaint is not written again."""

LOGGERS = (
    "aiokafka",
    "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator",
    "aiokafka.producer.sender",
)


def limit_aiokafka_logs() -> None:
    """Keep what aiokafka logs to warnings, each seldom; may be called again."""
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    rate_limit_logs(LOG_INTERVAL_SECONDS, *LOGGERS)
