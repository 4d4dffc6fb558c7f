"""Limits to the connections of this process, in all and per client network, and eviction of the slowest one."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Protocol

from prometheus_client import Counter, Gauge

from shared.web.http.client_address import IPNetwork, client_network
from shared.workers.numbers import WorkerNumbers

OPEN_CONNECTIONS = Gauge("simpul_connections", "HTTP connections that are open", multiprocess_mode="livesum")
CONNECTIONS_CLOSED = Counter(
    "simpul_connections_closed_total", "HTTP connections that were refused or closed by us", ["reason"]
)
for _reason in ("address", "full", "gave_way", "slow_head", "slow_body", "slow_reader"):
    CONNECTIONS_CLOSED.labels(_reason)

MAX_CONNECTIONS = 4096
MAX_DESCRIPTORS = 65_536
"""More are of no use, and child processes loop over the whole range when they close inherited descriptors."""
MIN_CONNECTIONS = 16
DESCRIPTORS_PER_CONNECTION = 2
"""One in so many descriptors may be a connection; the others are for files, databases and other servers."""
ADDRESS_SHARE_DIVISOR = 4
"""One client network has at most one in so many connections."""


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open descriptors as far as the hard limit allows, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return descriptor_limit()
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return descriptor_limit()


def descriptor_limit() -> int:
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MAX_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


class Connection(Protocol):
    """What eviction needs to know of a connection."""

    def eviction_score(self) -> float | None:
        """The lowest score is evicted first; None means never, because a response is in progress or the rate is unknown."""

    def evict(self) -> None:
        """Close the connection at once."""


class ConnectionRegistry:
    """All connections of one server; those from `proxies` carry many clients and are not counted by network.

    The limit of a network is for all workers together; only connections of this one can be evicted here.
    """

    def __init__(
        self,
        per_address: int,
        descriptors: int,
        proxies: Sequence[IPNetwork] = (),
        held: WorkerNumbers | None = None,
    ) -> None:
        self._held = held or WorkerNumbers()
        self.most = max(MIN_CONNECTIONS, min(MAX_CONNECTIONS, descriptors // DESCRIPTORS_PER_CONNECTION))
        self.per_address = max(1, min(per_address, self.most // ADDRESS_SHARE_DIVISOR))
        self._proxies = tuple(proxies)
        self._by_network: dict[str, dict[Connection, None]] = {}
        self._network_of: dict[Connection, str] = {}

    def __len__(self) -> int:
        return len(self._network_of)

    def admit(self, connection: Connection, address: str) -> bool:
        """Register a new connection, evicting another one if necessary; return False if it must be refused."""
        network = "" if self._is_proxy(address) else client_network(address)
        of_network = self._by_network.get(network, {})
        if network and self._total_of(network) >= self.per_address and not self._evict_one(of_network):
            CONNECTIONS_CLOSED.labels("address").inc()
            return False
        if len(self) >= self.most and not self._evict_one(self._connections_of_busiest_network()):
            CONNECTIONS_CLOSED.labels("full").inc()
            return False
        self._by_network.setdefault(network, {})[connection] = None
        self._show(network)
        self._network_of[connection] = network
        OPEN_CONNECTIONS.inc()
        return True

    def forget(self, connection: Connection) -> None:
        network = self._network_of.pop(connection, None)
        if network is None:
            return
        OPEN_CONNECTIONS.dec()
        of_network = self._by_network[network]
        del of_network[connection]
        self._show(network)
        if not of_network:
            del self._by_network[network]

    def _total_of(self, network: str) -> float:
        return len(self._by_network.get(network, {})) + self._held.others_total(f"connections {network}")

    def _show(self, network: str) -> None:
        self._held.set(f"connections {network}", len(self._by_network[network]))

    def _is_proxy(self, address: str) -> bool:
        """Whether the peer is a trusted proxy; only a proxy on this machine connects by a socket without an address."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return True
        return any(parsed in network for network in self._proxies)

    def _connections_of_busiest_network(self) -> dict[Connection, None]:
        """The connections of the client network that has the most."""
        counted = ((len(of_network), network) for network, of_network in self._by_network.items() if network)
        network = max(counted, default=(0, ""))[1]
        return self._by_network.get(network, {})

    def _evict_one(self, candidates: dict[Connection, None]) -> bool:
        scored = ((connection.eviction_score(), index, connection) for index, connection in enumerate(candidates))
        evictable = [(score, index, connection) for score, index, connection in scored if score is not None]
        if not evictable:
            return False
        victim = min(evictable)[2]
        self.forget(victim)
        CONNECTIONS_CLOSED.labels("gave_way").inc()
        victim.evict()
        return True
