"""What aiokafka says while Kafka is away: each complaint once in a while, not thirty lines a second."""

from __future__ import annotations

import logging

from shared.observability import write_seldom

PAUSE = 30.0
"""Seconds for which the same complaint is not written again."""

COMPLAINING = (
    "aiokafka",
    "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator",
    "aiokafka.producer.sender",
)


def complain_seldom() -> None:
    """Keep what aiokafka logs to warnings, each seldom; may be called again."""
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    write_seldom(PAUSE, *COMPLAINING)
