"""Logs as JSON lines, without personal data and secrets: email addresses, employee numbers, tokens, passwords."""

from __future__ import annotations

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

from shared.observability.tracing import trace_id

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the current HTTP request, "" outside of one."""

current_service: ContextVar[str] = ContextVar("service", default="")
"""The service that a background task belongs to, "" outside of one."""

_REDACTIONS = (
    (re.compile(r"(?i)\b(bearer|kunci=|token=|password=|smtps?://[^\s:@/]*:)\s*[^\s&\"',;]+"), r"\1[rahasia]"),
    (
        re.compile(r"(?<![\w.!#$%&'*+/=?^`{|}~-])[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:[.!#$%&'*+/=?^`{|}~@]+[\w-]+)*"),
        "[surel]",
    ),
    (re.compile(r"(?<!\d)\d(?:[ .-]?\d){17}(?!\d)"), "[nomor]"),
    (re.compile(r"(?<![\w-])[\w-]{40,}(?![\w-])"), "[token]"),
)
_INPUT_VALUE = "input_value="
_MAY_NEED_REDACTION = re.compile(r"@|\d[ .\-\d]{16}|[\w-]{40}|input_value=|(?i:bearer|kunci=|token=|password=)")
_STANDARD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


def redact(text: str) -> str:
    """Replace email addresses, 18-digit numbers, tokens and passwords."""
    if not _MAY_NEED_REDACTION.search(text):
        return text
    for pattern, replacement in _REDACTIONS:
        text = pattern.sub(replacement, text)
    return _redact_input_values(text)


def _redact_input_values(text: str) -> str:
    """Replace the input in validation messages, up to the type that follows it or the end of the line."""
    parts, start = [], 0
    while (begin := text.find(_INPUT_VALUE, start)) >= 0:
        parts.append(f"{text[start:begin]}{_INPUT_VALUE}[isian]")
        line_end = text.find("\n", begin)
        type_start = text.find(", input_type=", begin, line_end if line_end >= 0 else len(text))
        start = next(index for index in (type_start, line_end, len(text)) if index >= 0)
    return "".join((*parts, text[start:]))


class JsonLogFormatter(logging.Formatter):
    """Formats a record as one line of ASCII, redacted. `service` is the default for records without a current service."""

    def __init__(self, service: str = "") -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": current_service.get() or self._service,
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if current := request_id.get():
            line["request"] = current
        if trace := trace_id():
            line["trace"] = trace
        for name, value in vars(record).items():
            if name not in _STANDARD_ATTRIBUTES:
                line[name] = redact(value) if isinstance(value, str) else value
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, default=lambda value: redact(str(value)))


def configure_logging(level: str = "info", stream: TextIO | None = None, service: str = "simpul") -> None:
    """Log to one stream (by default standard error) from this level on, including the messages of the server."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLogFormatter(service))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], name != "uvicorn.access"
    for chatty in ("httpx", "httpcore", "asyncio", "multipart", "python_multipart", "fontTools", "fpdf", "PIL"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


class LogRateLimiter(logging.Filter):
    """Lets a message pass if the same format string was not logged within the interval in seconds."""

    def __init__(self, interval: float) -> None:
        super().__init__()
        self._interval = interval
        self._last_written: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        recent = record.created - self._last_written.get(record.msg, 0.0) < self._interval
        if not recent:
            self._last_written[record.msg] = record.created
        return not recent


def rate_limit_logs(interval: float, *names: str) -> None:
    """Let these loggers log each format string once per interval in seconds; may be called again."""
    for logger in map(logging.getLogger, names):
        if not any(isinstance(log_filter, LogRateLimiter) for log_filter in logger.filters):
            logger.addFilter(LogRateLimiter(interval))
