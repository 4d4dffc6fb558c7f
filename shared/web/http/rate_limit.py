"""Rate and concurrency limits per client network, with token buckets in memory."""

from __future__ import annotations

import math
import re
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from shared.web.api.problems import Problem
from shared.web.http.client_address import client_network
from shared.web.http.exception_handlers import error_response
from shared.web.http.request_limits import RateRule

TOO_MANY_AT_ONCE_DETAIL = "Terlalu banyak permintaan sekaligus dari jaringan Anda. Coba lagi sebentar lagi."
LIVE_STREAM_PATH = re.compile(r"/api/[^/]+/live")
MAX_BUCKETS = 20_000


class TokenBuckets:
    """Token buckets by key; the least recently used one is dropped when there are too many."""

    def __init__(self, maximum: int = MAX_BUCKETS, clock: Callable[[], float] = time.monotonic) -> None:
        self._maximum, self._clock = maximum, clock
        self._tokens: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def take(self, key: tuple[str, str], per_minute: int) -> float:
        """Take a token; return 0, or the seconds until one is available."""
        now = self._clock()
        tokens, since = self._tokens.pop(key, (float(per_minute), now))
        tokens = min(float(per_minute), tokens + (now - since) * per_minute / 60)
        wait = 0.0 if tokens >= 1 else (1 - tokens) * 60 / per_minute
        self._tokens[key] = (tokens if wait else tokens - 1, now)
        if len(self._tokens) > self._maximum:
            self._tokens.popitem(last=False)
        return wait


class RateLimitMiddleware:
    """Answers 429 to a client network that exceeds the rate of a rule, before the request is processed."""

    def __init__(
        self, app: ASGIApp, rules: Sequence[RateRule], submissions_per_minute: int, buckets: TokenBuckets | None = None
    ) -> None:
        self.app, self._rules, self._buckets = app, tuple(rules), buckets or TokenBuckets()
        self._submissions_per_minute = submissions_per_minute

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wait = self._seconds_to_wait(scope) if scope["type"] == "http" else 0.0
        if not wait:
            await self.app(scope, receive, send)
            return
        await error_response(scope, rate_limit_problem(math.ceil(wait)))(scope, receive, send)

    def _seconds_to_wait(self, scope: Scope) -> float:
        for rule in self._rules:
            if rule.matches(scope["method"], scope["path"]):
                per_minute = self._submissions_per_minute * rule.per_submission
                return self._buckets.take((rule.name, client_network(scope.get("client_address", ""))), per_minute)
        return 0.0


class ConcurrencyLimitMiddleware:
    """Answers 429 to a client network with too many concurrent requests; behind a gateway, connections are not per client.

    Live streams are exempt: they are open for hours and have their own limits.
    """

    def __init__(self, app: ASGIApp, maximum: int) -> None:
        self.app, self._maximum = app, maximum
        self._active_requests: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or LIVE_STREAM_PATH.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        network = client_network(scope.get("client_address", ""))
        if self._active_requests[network] >= self._maximum:
            await error_response(scope, Problem(429, TOO_MANY_AT_ONCE_DETAIL, headers={"Retry-After": "5"}))(
                scope, receive, send
            )
            return
        self._active_requests[network] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._active_requests[network] -= 1
            if not self._active_requests[network]:
                del self._active_requests[network]


def rate_limit_problem(seconds: int) -> Problem:
    detail = f"Terlalu banyak permintaan dari jaringan Anda. Coba lagi dalam {seconds} detik."
    return Problem(429, detail, headers={"Retry-After": str(seconds)})
