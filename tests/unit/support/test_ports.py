"""Ports that tests hand out are not handed out twice, neither by one process nor by two."""

from __future__ import annotations

import subprocess
import sys

from tests.support.ports import PORTS, free_port

PRINT_PORTS = "from tests.support.ports import free_port\nprint(*(free_port() for _ in range(400)))\ninput()"


def test_two_processes_never_get_the_same_port():
    with subprocess.Popen(
        [sys.executable, "-c", PRINT_PORTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        theirs = set(map(int, other.stdout.readline().split()))
        ours = [free_port() for _ in range(400)]
        other.stdin.close()
    assert len(theirs) == len(set(ours)) == 400
    assert theirs.isdisjoint(ours)
    assert theirs | set(ours) <= set(PORTS)
