"""Positions in a log of several partitions: "7:41" is record 41 of partition 7, "0:12,7:41" all up to and with these."""

from __future__ import annotations

from collections.abc import Mapping

PartitionOffsets = Mapping[int, int]
"""The last offset of each partition that lies behind a position; what is not named has nothing behind it."""


def format_record_position(partition: int, offset: int) -> str:
    """The position of one record."""
    return f"{partition}:{offset}"


def format_position(reached: PartitionOffsets) -> str:
    """The position of a whole log, "" if nothing lies behind it."""
    return ",".join(
        format_record_position(partition, offset) for partition, offset in sorted(reached.items()) if offset >= 0
    )


def parse_position(position: str) -> dict[int, int]:
    """What lies behind a position. Raises ValueError if it is none."""
    pairs = (part.split(":") for part in position.split(",") if part)
    return {int(partition): int(offset) for partition, offset in pairs}
