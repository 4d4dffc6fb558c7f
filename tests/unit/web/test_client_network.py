"""The network for which everything of an address is counted: one rule for limits and failed sign-ins."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from shared.web.auth.sessions import rate_limit_network
from shared.web.http.client_address import client_network

NETWORKS = {
    "192.0.2.7": "192.0.2.7",
    "2001:db8::77": "2001:db8::/64",
    "2001:DB8:0:0:1::77": "2001:db8::/64",
    "2001:db8:0:1::77": "2001:db8:0:1::/64",
    "::ffff:192.0.2.7": "192.0.2.7",
    "fe80::1%eth0": "fe80::/64",
    "unix:socket": "unix:socket",
    "testclient": "testclient",
    "": "",
}


@pytest.mark.parametrize(("address", "network"), NETWORKS.items())
def test_an_address_counts_for_the_same_network_everywhere(address: str, network: str):
    request = Request({"type": "http", "client_address": address})
    assert (client_network(address), rate_limit_network(request)) == (network, network)
