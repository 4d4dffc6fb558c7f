"""Budget of uploaded bytes that no request references yet, per client network and in all."""

from __future__ import annotations

import asyncio
import heapq
import logging
import math
import time
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from prometheus_client import Counter as Total
from prometheus_client import Gauge
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.contracts.facts import DocumentRef
from shared.storage.port import StoreUnavailable
from shared.web.api.problems import Problem
from shared.web.dependencies import current_principal
from shared.web.http.body_limit import MAX_JSON_BODY_BYTES, declared_content_length
from shared.web.http.client_address import client_address, client_network
from shared.web.http.exception_handlers import error_response
from shared.web.http.request_limits import RequestLimits
from shared.workers.group import SOLE_WORKER, WorkerGroup

logger = logging.getLogger(__name__)

UNNAMED_UPLOAD_BYTES = Gauge(
    "simpul_unnamed_upload_bytes",
    "Bytes of uploads that no request names yet",
    ["state"],
    multiprocess_mode="livesum",
)
UPLOADS_REFUSED = Total("simpul_uploads_over_budget_total", "Uploads refused for their number of bytes", ["limit"])
for _limit in ("address", "all"):
    UPLOADS_REFUSED.labels(_limit)

ADDRESS_WINDOW_SECONDS, TOTAL_WINDOW_SECONDS = 3600.0, 86_400.0
"""How long a file counts for its network, and in total; after a day the orphan sweep has removed it."""
ADDRESS_SHARE_DIVISOR = 4
"""One network has at most one in so many bytes of the total."""
MIN_COUNTED_BYTES = 64 * 1024
"""A smaller file counts as this many bytes, because many small files fill a disk as well."""
RETRY_SECONDS = 300
LOOKUP_INTERVAL_SECONDS = 5.0
"""Interval between queries to the store for the files of one network, or of all."""
RELEASE_TOPIC, LOOK_UP_TOPIC = "released upload", "look up uploads"
"""Messages to the other workers: a file is referenced now; release the files of a network that are."""
OTHERS_LOOK_UP_SECONDS = 0.2
"""Time that the other workers have to release files before an upload is refused."""
MAX_LOOKUP_FILES = 500
"""Files per query, least recently queried first."""
ADDRESS_LIMIT_DETAIL = (
    "Terlalu banyak berkas dari jaringan Anda yang belum menjadi permohonan. "
    "Kirim dahulu permohonan yang sedang diisi, atau coba lagi beberapa menit lagi."
)
TOTAL_LIMIT_DETAIL = "Tempat untuk berkas yang belum menjadi permohonan sedang penuh. Coba lagi beberapa menit lagi."


@dataclass(frozen=True, slots=True)
class UploadTarget:
    """The request that a file may become part of; `documents_named` returns the document keys that requests reference."""

    request_id: str
    documents_named: Callable[[Sequence[str]], Awaitable[set[str]]]


@dataclass(slots=True)
class _File:
    network: str
    size: int
    stored_at: float
    destination: UploadTarget | None = None
    looked_up_at: float = -math.inf


@dataclass(slots=True)
class _Body:
    """Bytes of a request body that count as arriving."""

    size: int = 0


class UploadBudget:
    """The unreferenced uploads; `per_address` None means no limit per network.

    Each worker counts those that it received; the limits are for all workers together.
    """

    def __init__(
        self,
        per_address: int | None,
        total: int,
        clock: Callable[[], float] = time.monotonic,
        workers: WorkerGroup = SOLE_WORKER,
    ) -> None:
        self._workers = workers
        workers.messages.subscribe(RELEASE_TOPIC, self._on_released_elsewhere)
        workers.messages.subscribe(LOOK_UP_TOPIC, self._on_look_up)
        self._looking_up: set[asyncio.Task[bool]] = set()
        self._per_address = math.inf if per_address is None else per_address
        self._share = math.inf if per_address is None else total / ADDRESS_SHARE_DIVISOR
        self._total, self._clock = total, clock
        self._files: OrderedDict[str, _File] = OrderedDict()
        self._recent_files: OrderedDict[str, _File] = OrderedDict()
        self._of_hour: Counter[str] = Counter()
        self._of_day: Counter[str] = Counter()
        self._arriving: Counter[str] = Counter()
        self._arriving_in_all = self._stored_in_all = 0
        self._last_lookup: dict[str, float] = {}
        self._update_gauges()

    async def require(self, network: str, size: int) -> None:
        """Raise Problem 429 if `size` more bytes exceed the network's budget, 503 if they exceed the total."""
        self._release_expired()
        asked_others = self._workers.size == 1
        while limit := self._exceeded(network, size):
            scope = "" if limit == "all" else network
            if await self._release_named(scope):
                continue
            if not asked_others:
                asked_others = True
                self._workers.messages.send(LOOK_UP_TOPIC, scope)
                await asyncio.sleep(OTHERS_LOOK_UP_SECONDS)
            else:
                UPLOADS_REFUSED.labels(limit).inc()
                status, detail = (503, TOTAL_LIMIT_DETAIL) if limit == "all" else (429, ADDRESS_LIMIT_DETAIL)
                raise Problem(status, detail, headers={"Retry-After": str(RETRY_SECONDS)})

    def _exceeded(self, network: str, size: int) -> str:
        """The limit that `size` more bytes exceed: "address", "all" or "" for none."""
        total_of_others = self._workers.held.others_total
        arriving = self._arriving[network] + total_of_others(f"arriving {network}") + size
        over_hour = self._of_hour[network] + total_of_others(f"hour {network}") + arriving > self._per_address
        if over_hour or self._of_day[network] + total_of_others(f"day {network}") + arriving > self._share:
            return "address"
        in_all = self._stored_in_all + self._arriving_in_all + total_of_others("uploads")
        return "all" if in_all + size > self._total else ""

    def add_arriving(self, network: str, size: int) -> None:
        """Count bytes of a body that is being received; a negative size subtracts them."""
        self._add("arriving", self._arriving, network, size)
        self._arriving_in_all += size
        self._update_gauges()

    def stored(self, network: str, documents: Iterable[DocumentRef], destination: UploadTarget | None = None) -> None:
        """Count stored documents that no request references yet."""
        for document in documents:
            file = _File(network, max(document.size, MIN_COUNTED_BYTES), self._clock(), destination)
            self._files[document.key] = self._recent_files[document.key] = file
            self._add("hour", self._of_hour, network, file.size)
            self._add("day", self._of_day, network, file.size)
            self._stored_in_all += file.size
        self._update_gauges()

    def release(self, documents: Iterable[DocumentRef]) -> None:
        """Stop counting documents: a request references them now, or they were deleted."""
        for document in documents:
            if not self._remove(document.key):
                self._workers.messages.send(RELEASE_TOPIC, document.key)
        self._update_gauges()

    def _on_released_elsewhere(self, key: str) -> None:
        self._remove(key)
        self._update_gauges()

    def _on_look_up(self, network: str) -> None:
        """Release what another worker would release if these files were its own."""
        self._release_expired()
        looking_up = asyncio.ensure_future(self._release_named(network))
        self._looking_up.add(looking_up)
        looking_up.add_done_callback(self._looking_up.discard)

    async def _release_named(self, network: str) -> bool:
        """Release files of a network, "" for all, whose form another process received; return whether there were any."""
        now = self._clock()
        if self._last_lookup.get(network, -math.inf) > now - LOOKUP_INTERVAL_SECONDS:
            return False
        self._last_lookup = {
            each: then for each, then in self._last_lookup.items() if then > now - LOOKUP_INTERVAL_SECONDS
        }
        self._last_lookup[network] = now
        waiting = (key for key, file in self._files.items() if file.destination and network in ("", file.network))
        keys = heapq.nsmallest(MAX_LOOKUP_FILES, waiting, key=lambda key: self._files[key].looked_up_at)
        for key in keys:
            self._files[key].looked_up_at = now
        named = await _find_named([self._files[key].destination for key in keys]) & self._files.keys()
        for key in named:
            self._remove(key)
        self._update_gauges()
        return bool(named)

    def _release_expired(self) -> None:
        now = self._clock()
        while (
            self._recent_files
            and (key := next(iter(self._recent_files)))
            and self._recent_files[key].stored_at <= now - ADDRESS_WINDOW_SECONDS
        ):
            self._leave_hour_window(key)
        while (
            self._files
            and (key := next(iter(self._files)))
            and self._files[key].stored_at <= now - TOTAL_WINDOW_SECONDS
        ):
            self._remove(key)
        self._update_gauges()

    def _leave_hour_window(self, key: str) -> None:
        file = self._recent_files.pop(key, None)
        if file is not None:
            self._add("hour", self._of_hour, file.network, -file.size)

    def _remove(self, key: str) -> bool:
        """Stop counting a file; return whether it was counted here."""
        self._leave_hour_window(key)
        file = self._files.pop(key, None)
        if file is None:
            return False
        self._add("day", self._of_day, file.network, -file.size)
        self._stored_in_all -= file.size
        return True

    def _add(self, name: str, counts: Counter[str], network: str, size: int) -> None:
        counts[network] += size
        self._workers.held.set(f"{name} {network}", counts[network])
        if not counts[network]:
            del counts[network]

    def _update_gauges(self) -> None:
        self._workers.held.set("uploads", self._stored_in_all + self._arriving_in_all)
        UNNAMED_UPLOAD_BYTES.labels("arriving").set(self._arriving_in_all)
        UNNAMED_UPLOAD_BYTES.labels("stored").set(self._stored_in_all)


async def _find_named(destinations: Iterable[UploadTarget | None]) -> set[str]:
    """The document keys that these requests reference; none while the store is unavailable, so that files stay counted."""
    asked: defaultdict[Callable[[Sequence[str]], Awaitable[set[str]]], set[str]] = defaultdict(set)
    for destination in destinations:
        if destination is not None:
            asked[destination.documents_named].add(destination.request_id)
    try:
        return {key for documents_named, ids in asked.items() for key in await documents_named(sorted(ids))}
    except StoreUnavailable as error:
        logger.warning("cannot look up which uploads are referenced by a request: %s", error)
        return set()


async def require_upload_budget(request: Request, size: int) -> None:
    """Raise Problem 429 or 503 if storing a file of this request exceeds the budget; staff are exempt."""
    if _is_counted(request):
        add_arriving = min(size, _body_of(request).size)
        await _budget_of(request).require(
            client_network(client_address(request)), max(size, MIN_COUNTED_BYTES) - add_arriving
        )


def charge_stored_documents(
    request: Request, documents: Sequence[DocumentRef], destination: UploadTarget | None = None
) -> None:
    """Move documents of this request from arriving to stored bytes of its network; staff are exempt."""
    if _is_counted(request):
        budget, network, body = _budget_of(request), client_network(client_address(request)), _body_of(request)
        add_arriving = min(sum(document.size for document in documents), body.size)
        body.size -= add_arriving
        budget.add_arriving(network, -add_arriving)
        budget.stored(network, documents, destination)


def release_documents(request: Request, documents: Iterable[DocumentRef]) -> None:
    _budget_of(request).release(documents)


def _is_counted(request: Request) -> bool:
    return current_principal(request) is None


def _body_of(request: Request) -> _Body:
    body: _Body = request.scope.get("counted_body") or _Body()
    return body


def _budget_of(request: Request) -> UploadBudget:
    budget: UploadBudget = request.app.state.upload_budget
    return budget


class UploadBudgetMiddleware:
    """Counts bodies of uploads from clients without an account; answers 429 or 503 as soon as they exceed the budget.

    A small form is always read, because its files are checked one by one.
    """

    def __init__(self, app: ASGIApp, budget: UploadBudget, limits: RequestLimits) -> None:
        self.app, self._budget, self._limits = app, budget, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        upload = self._limits.upload_path(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if upload is None or not upload.public:
            await self.app(scope, receive, send)
            return
        network, declared = client_network(scope.get("client_address", "")), declared_content_length(scope)
        is_small_form = upload.form and declared is not None and declared <= MAX_JSON_BODY_BYTES
        body = scope["counted_body"] = _Body()

        async def receive_and_count() -> Message:
            message = await receive()
            if size := len(message.get("body", b"")):
                if not is_small_form:
                    await self._budget.require(network, size)
                self._budget.add_arriving(network, size)
                body.size += size
            return message

        try:
            if not is_small_form:
                await self._budget.require(network, declared or 0)
        except Problem as problem:
            await error_response(scope, problem)(scope, receive, send)
            return
        try:
            await self.app(scope, receive_and_count, send)
        finally:
            self._budget.add_arriving(network, -body.size)
