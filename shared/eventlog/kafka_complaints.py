"""What aiokafka says while Kafka is away: each complaint once in a while, not thirty lines a second."""

from __future__ import annotations

import logging

PAUSE = 30.0
"""Seconds for which the same complaint is not written again."""

COMPLAINING = (
    "aiokafka",
    "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator",
    "aiokafka.producer.sender",
)


class Seldom(logging.Filter):
    """Lets a line through if none of the same form came lately."""

    def __init__(self) -> None:
        super().__init__()
        self._written: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        lately = record.created - self._written.get(record.msg, 0.0) < PAUSE
        if not lately:
            self._written[record.msg] = record.created
        return not lately


def write_seldom() -> None:
    """Keep what aiokafka logs to warnings, each seldom; may be called again."""
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    for name in COMPLAINING:
        logger = logging.getLogger(name)
        if not any(isinstance(each, Seldom) for each in logger.filters):
            logger.addFilter(Seldom())
