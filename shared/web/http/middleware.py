"""Middleware of every request: request id and access log, security headers, HEAD, unprintable paths, unexpected errors."""

from __future__ import annotations

import logging
import time
from contextlib import AbstractContextManager, nullcontext

from opentelemetry.trace import INVALID_SPAN, Span, SpanKind
from prometheus_client import Histogram
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.clock import NewId
from shared.observability.logging import request_id
from shared.observability.tracing import set_attributes, start_span
from shared.web.api.idempotency import valid_traceparent
from shared.web.api.problems import DETAILS, Problem, internal_error
from shared.web.http.client_address import ClientAddressResolver
from shared.web.http.exception_handlers import error_response
from shared.web.http.methods import HEAD_ONLY_SCOPE_KEY

access_logger = logging.getLogger("simpul.access")
logger = logging.getLogger(__name__)

HTTP_SECONDS = Histogram("simpul_http_seconds", "Time until a request was answered", ["method", "status"])
UNTRACED_PREFIXES = ("/health/", "/metrics", "/static/")
"""Requested by machines all day; spans of them would only be noise."""
STREAM_SUFFIX = "/live"
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)
SECURITY_HEADERS = {
    b"content-security-policy": CONTENT_SECURITY_POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    # Not `no-referrer`: browsers would then send `Origin: null`, and forms could not show where they come from.
    b"referrer-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}
DOCUMENT_HEADERS = frozenset({b"permissions-policy", b"cross-origin-opener-policy"})
"""Security headers that browsers read from documents only; static files are sent without them, errors with them."""
STATIC_PREFIX = "/static/"
STRICT_TRANSPORT = {b"strict-transport-security": b"max-age=31536000"}


class RequestContextMiddleware:
    """Sets request id, span and client address, and logs the response without query, address or cookies."""

    def __init__(self, app: ASGIApp, new_id: NewId, client_address: ClientAddressResolver) -> None:
        self.app, self._new_id, self._client_address = app, new_id, client_address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        current_request_id, started_at, status = self._new_id(), time.perf_counter(), 0
        scope["client_address"] = self._client_address.resolve(scope)

        async def send_with_request_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", current_request_id.encode())]
            await send(message)

        token = request_id.set(current_request_id)
        with _request_span(scope, current_request_id) as span:
            try:
                await self.app(scope, receive, send_with_request_id)
            finally:
                _annotate_span(span, scope, status)
                _record_request(scope, status, time.perf_counter() - started_at)
                request_id.reset(token)


def _request_span(scope: Scope, current_request_id: str) -> AbstractContextManager[Span]:
    """Start a span, as a child of the caller's `traceparent` if there is one."""
    if scope["path"].startswith(UNTRACED_PREFIXES) or scope["path"].endswith(STREAM_SUFFIX):
        return nullcontext(INVALID_SPAN)
    header = next((value for name, value in scope["headers"] if name == b"traceparent"), b"")
    parent = valid_traceparent(header.decode("latin-1"))
    return start_span("HTTP", SpanKind.SERVER, parent, expected=Exception, http_request=current_request_id)


def _annotate_span(span: Span, scope: Scope, status: int) -> None:
    """Name the span after the route template, so that no request number becomes part of a name."""
    if span.is_recording():
        span.update_name(f"{scope['method']} {getattr(scope.get('route'), 'path', '')}".rstrip())
        set_attributes(span, outcome=status)


def _record_request(scope: Scope, status: int, seconds: float) -> None:
    method = scope["method"] if scope["method"] in KNOWN_METHODS else "other"
    if status != 200 or not scope["path"].endswith(STREAM_SUFFIX):  # streams are open for hours and have a gauge
        HTTP_SECONDS.labels(method, str(status)).observe(seconds)
    if access_logger.isEnabledFor(logging.INFO):
        facts = {"method": method, "path": scope["path"][:200], "status": status, "ms": round(seconds * 1000, 1)}
        access_logger.info("answered", extra=facts)


class SecurityHeadersMiddleware:
    """Adds the security headers that a response does not set itself; with TLS also Strict-Transport-Security."""

    def __init__(self, app: ASGIApp, tls: bool) -> None:
        self.app = app
        headers = {**SECURITY_HEADERS, **STRICT_TRANSPORT} if tls else SECURITY_HEADERS
        self._names, self._headers = frozenset(headers), tuple(headers.items())
        self._static_headers = tuple(pair for pair in self._headers if pair[0] not in DOCUMENT_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        static = scope["path"].startswith(STATIC_PREFIX)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                added = self._static_headers if static and message["status"] < 400 else self._headers
                present = {name for name, _ in headers if name in self._names}
                headers += [pair for pair in added if pair[0] not in present] if present else added
                message["headers"] = headers
            await send(message)

        await self.app(scope, receive, send_with_headers)


class HeadMiddleware:
    """Routes HEAD as GET and drops the body, so that every route answers HEAD with the headers of GET."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        # A copy, because the server reads the method of its own scope when it frames the response.
        inner = {**scope, "method": "GET", HEAD_ONLY_SCOPE_KEY: True}
        try:
            await self.app(inner, receive, without_body)
        finally:
            scope["route"] = inner.get("route")


class PrintablePathMiddleware:
    """Answers 404 to a path with control characters.

    The regular expression of a route ends in `$`, which also matches before a newline, so such a path would reach the route
    but bypass the limits that match whole paths.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        printable = scope["type"] != "http" or scope["path"].isprintable()
        await (self.app if printable else error_response(scope, Problem(404, DETAILS[404])))(scope, receive, send)


class ErrorMiddleware:
    """Answers an unexpected exception with 500 and a reference number; aborts a response that has started."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def send_and_remember(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_remember)
        except ClientDisconnect:
            logger.info("the client disconnected")
        except Exception as error:
            problem = internal_error(error)
            if started:
                raise
            await error_response(scope, problem)(scope, receive, send)
