"""How often one address may use what is open to everybody: token buckets in memory, as many as fit."""

from __future__ import annotations

import math
import re
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from shared.web.answers import answer_to
from shared.web.client_address import network_of
from shared.web.problems import Problem

AT_ONCE = "Terlalu banyak permintaan sekaligus dari jaringan Anda. Coba lagi sebentar lagi."
STREAM = re.compile(r"/api/[^/]+/live")
MOST_BUCKETS = 20_000
FILES = 4
"""Files sent ahead for each submission: most requests have fewer, and one that has more meets a wait and no loss."""
LOOK_UPS = 10
"""Look-ups of a request for each submission that is allowed: a page asks more often than a person submits."""


@dataclass(frozen=True, slots=True)
class RateRule:
    """Requests with one of these methods and a path that matches in full, `per_minute` of them in the long run and at once."""

    name: str
    methods: frozenset[str]
    path: re.Pattern[str]
    per_minute: int

    def covers(self, method: str, path: str) -> bool:
        return method in self.methods and self.path.fullmatch(path) is not None


def public_rules(per_minute: int) -> tuple[RateRule, ...]:
    """The rules for submissions, for files sent ahead of them, and for looking a request up; none if the rate is 0."""
    if not per_minute:
        return ()
    acting, looking_too = frozenset({"POST"}), frozenset({"GET", "HEAD", "POST"})
    return (
        RateRule("submissions", acting, re.compile(r"/|/lacak|/api/requests/?|/api/links"), per_minute),
        RateRule("files", acting, re.compile(r"/berkas"), per_minute * FILES),
        RateRule("look-ups", looking_too, re.compile(r"/(?:api/requests|lacak)/.+"), per_minute * LOOK_UPS),
    )


class Buckets:
    """What is left for each key; the one unused for longest is forgotten when there are too many."""

    def __init__(self, most: int = MOST_BUCKETS, clock: Callable[[], float] = time.monotonic):
        self._most, self._clock = most, clock
        self._left: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def take(self, key: tuple[str, str], per_minute: int) -> float:
        """0 if there was one left, else the seconds until there is."""
        now = self._clock()
        left, since = self._left.pop(key, (float(per_minute), now))
        left = min(float(per_minute), left + (now - since) * per_minute / 60)
        wait = 0.0 if left >= 1 else (1 - left) * 60 / per_minute
        self._left[key] = (left if wait else left - 1, now)
        if len(self._left) > self._most:
            self._left.popitem(last=False)
        return wait


class RateLimit:
    """429 for an address that comes too often, before anything else is done for it."""

    def __init__(self, app: ASGIApp, rules: Sequence[RateRule], buckets: Buckets | None = None):
        self.app, self._rules, self._buckets = app, tuple(rules), buckets or Buckets()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wait = self._wait(scope) if scope["type"] == "http" else 0.0
        if not wait:
            await self.app(scope, receive, send)
            return
        await answer_to(scope, too_often(math.ceil(wait)))(scope, receive, send)

    def _wait(self, scope: Scope) -> float:
        for rule in self._rules:
            if rule.covers(scope["method"], scope["path"]):
                return self._buckets.take((rule.name, network_of(scope.get("client_address", ""))), rule.per_minute)
        return 0.0


class ConcurrencyLimit:
    """429 for an address with too many requests under way; behind a gateway, connections tell nothing of addresses.

    Live streams are open for hours and have limits of their own.
    """

    def __init__(self, app: ASGIApp, most: int):
        self.app, self._most = app, most
        self._under_way: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or STREAM.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        network = network_of(scope.get("client_address", ""))
        if self._under_way[network] >= self._most:
            await answer_to(scope, Problem(429, AT_ONCE, headers={"Retry-After": "5"}))(scope, receive, send)
            return
        self._under_way[network] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._under_way[network] -= 1
            if not self._under_way[network]:
                del self._under_way[network]


def too_often(seconds: int) -> Problem:
    sentence = f"Terlalu banyak permintaan dari jaringan Anda. Coba lagi dalam {seconds} detik."
    return Problem(429, sentence, headers={"Retry-After": str(seconds)})
