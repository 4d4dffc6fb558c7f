"""An SMTP server that records when each Message-ID arrived, and finds missing and repeated ones."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.distributed.fault_injection import FaultRecord
from tests.support.e2e.server_process import Inbox


@dataclass
class SmtpRecorder(Inbox):
    """Records arrival times, not messages."""

    taken: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        answer = await super().handle_DATA(server, session, envelope)
        self.taken[message_of(str(self.messages.pop()["Message-ID"]))].append(time.monotonic())
        return answer

    @property
    def deliveries(self) -> int:
        return sum(map(len, self.taken.values()))

    @property
    def repeated(self) -> dict[str, Sequence[float]]:
        return {message: moments for message, moments in self.taken.items() if len(moments) > 1}

    def findings(self, owed: Mapping[str, str], faults: Iterable[FaultRecord]) -> list[str]:
        """Return missing, unexpected and unexplained repeated deliveries."""
        fault_records = list(faults)
        lines = [f"e-mail {each} was never handed over" for each in owed if each not in self.taken]
        lines += [f"e-mail {each} is {status} in the ledger" for each, status in owed.items() if status != "sent"]
        lines += [f"e-mail {each} is not in the ledger" for each in self.taken if each not in owed]
        for message, moments in self.repeated.items():
            for earlier in moments[:-1]:
                if not any(fault.excuses_repeat(earlier) for fault in fault_records):
                    lines.append(f"e-mail {message} came again after {moments[-1] - earlier:.0f} s without a fault")
        return lines


def message_of(header: str) -> str:
    """Return the ledger's id of a Message-ID header without its host."""
    return header.strip().strip("<>").partition("@")[0]
