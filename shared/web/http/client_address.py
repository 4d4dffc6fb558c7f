"""The client's address: that of the socket, or the one that a trusted proxy forwards."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.requests import Request
from starlette.types import Scope

IPNetwork = IPv4Network | IPv6Network


def parse_proxies(text: str) -> tuple[IPNetwork, ...]:
    """Parse addresses and networks separated by commas. Raises ValueError."""
    return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


class ClientAddressResolver:
    """Resolves the client's address, trusting `X-Forwarded-For` only along an unbroken chain of known proxies."""

    def __init__(self, proxies: Sequence[IPNetwork] = ()) -> None:
        self._proxies = tuple(proxies)

    def resolve(self, scope: Scope) -> str:
        peer = scope.get("client")
        address = str(peer[0]) if peer else ""
        if not self._proxies or not self._is_trusted(address):
            return address
        for hop in reversed(_forwarded(scope)):
            if not _is_ip_address(hop):
                return address
            address = hop
            if not self._is_trusted(hop):
                return hop
        return address

    def _is_trusted(self, address: str) -> bool:
        if not _is_ip_address(address):
            return False
        parsed = ip_address(address)
        return any(parsed in network for network in self._proxies)


def client_address(request: Request) -> str:
    """The resolved address of the client, "" if unknown."""
    resolved = request.scope.get("client_address")
    return resolved if isinstance(resolved, str) else (request.client.host if request.client else "")


def _forwarded(scope: Scope) -> list[str]:
    lines = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return [hop.strip() for hop in ",".join(lines).split(",") if hop.strip()]


def _is_ip_address(address: str) -> bool:
    try:
        ip_address(address)
    except ValueError:
        return False
    return True


def client_network(address: str) -> str:
    """The key by which clients are counted: an IPv4 address, or the /64 of an IPv6 address, which one household has."""
    if ":" not in address:
        return address
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed.packed, 64), strict=False))
