"""Rate and concurrency limits per client network, in memory and for all workers together."""

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
from shared.workers.group import SOLE_WORKER, WorkerGroup
from shared.workers.numbers import WorkerNumbers

TOO_MANY_AT_ONCE_DETAIL = "Terlalu banyak permintaan sekaligus dari jaringan Anda. Coba lagi sebentar lagi."
LIVE_STREAM_PATH = re.compile(r"/api/[^/]+/live")
MAX_BUCKETS = 20_000


class TokenBuckets:
    """Token buckets by key; the least recently used one is dropped when there are too many.

    A bucket is stored as the time at which it is full again, which the workers show each other.
    """

    def __init__(
        self,
        maximum: int = MAX_BUCKETS,
        clock: Callable[[], float] = time.monotonic,
        workers: WorkerGroup = SOLE_WORKER,
    ) -> None:
        self._maximum, self._clock, self._workers = maximum, clock, workers
        self._full_at: OrderedDict[tuple[str, str], float] = OrderedDict()

    def take(self, key: tuple[str, str], per_minute: int) -> float:
        """Take a token; return 0, or the seconds until one is available."""
        with self._workers.locked():
            return self._take_locked(key, per_minute)

    def _take_locked(self, key: tuple[str, str], per_minute: int) -> float:
        shared_key, now, refill_seconds = " ".join(key), self._clock(), 60 / per_minute
        full_at = max(now, self._full_at.pop(key, now), self._workers.times.others_greatest(shared_key))
        tokens = per_minute - (full_at - now) / refill_seconds
        wait = 0.0 if tokens >= 1 else (1 - tokens) * refill_seconds
        if not wait:
            full_at += refill_seconds
        self._full_at[key] = full_at
        self._workers.times.set(shared_key, full_at)
        if len(self._full_at) > self._maximum:
            self._full_at.popitem(last=False)
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

    def __init__(self, app: ASGIApp, maximum: int, held: WorkerNumbers | None = None) -> None:
        self.app, self._maximum, self._held = app, maximum, held or WorkerNumbers()
        self._active_requests: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or LIVE_STREAM_PATH.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        network = client_network(scope.get("client_address", ""))
        key = f"requests {network}"
        if self._active_requests[network] + self._held.others_total(key) >= self._maximum:
            await error_response(scope, Problem(429, TOO_MANY_AT_ONCE_DETAIL, headers={"Retry-After": "5"}))(
                scope, receive, send
            )
            return
        self._active_requests[network] += 1
        self._held.set(key, self._active_requests[network])
        try:
            await self.app(scope, receive, send)
        finally:
            self._active_requests[network] -= 1
            self._held.set(key, self._active_requests[network])
            if not self._active_requests[network]:
                del self._active_requests[network]


def rate_limit_problem(seconds: int) -> Problem:
    detail = f"Terlalu banyak permintaan dari jaringan Anda. Coba lagi dalam {seconds} detik."
    return Problem(429, detail, headers={"Retry-After": str(seconds)})
