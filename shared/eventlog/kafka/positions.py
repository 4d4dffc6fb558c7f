"""Positions in a partitioned log: "7:41" is the record at offset 41 of partition 7, "0:12,7:41" is everything up to these."""

from __future__ import annotations

from collections.abc import Mapping

PartitionOffsets = Mapping[int, int]
"""The last offset of each partition that a position includes; nothing of a partition that is not named."""


def format_record_position(partition: int, offset: int) -> str:
    """Return the position of one record."""
    return f"{partition}:{offset}"


def format_position(offsets: PartitionOffsets) -> str:
    """Return the position that includes these offsets, "" if it includes nothing."""
    return ",".join(
        format_record_position(partition, offset) for partition, offset in sorted(offsets.items()) if offset >= 0
    )


def parse_position(position: str) -> dict[int, int]:
    """Return the offsets that a position includes. Raises ValueError."""
    pairs = (part.split(":") for part in position.split(",") if part)
    return {int(partition): int(offset) for partition, offset in pairs}
