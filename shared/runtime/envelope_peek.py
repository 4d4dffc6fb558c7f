"""What stands at the head of an event of our own, before anything that a person wrote: found without reading the rest."""

from __future__ import annotations

import re

_SOURCE = re.compile(rb'{"specversion":"1\.0","id":"[^"\\]*","source":"([a-z]+)"')
_SEQUENCE = re.compile(rb'"sequence":"(\d+)"')
_TIME = re.compile(rb'"time":"([^"]+)"')
_TYPE = re.compile(rb'"type":"([^"]+)"')
_TRACEPARENT = re.compile(rb'"traceparent":"([0-9a-f-]+)"')


def published_by(event: bytes) -> str:
    """Who published it, "" if it does not begin as events of ours do."""
    found = _SOURCE.match(event)
    return found[1].decode() if found else ""


def sequence_of(event: bytes) -> int:
    """Its sequence; 0 if there is none."""
    found = _SEQUENCE.search(event)
    return int(found[1]) if found else 0


def time_of(event: bytes) -> str:
    """When it happened (ISO 8601), "" if it does not say."""
    return _said(_TIME, event)


def type_of(event: bytes) -> str:
    """The name of its fact, "" if it has none."""
    return _said(_TYPE, event)


def traceparent_of(event: bytes) -> str:
    """The trace that it belongs to (W3C trace context), "" if there is none."""
    return _said(_TRACEPARENT, event)


def _said(pattern: re.Pattern[bytes], event: bytes) -> str:
    found = pattern.search(event)
    return found[1].decode() if found else ""
