"""How Kafka is spoken to: in plain text or over TLS, as nobody or with a user and a password (SASL)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any, Literal

from faststream.kafka.security import parse_security
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

Mechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]

_KINDS: Mapping[Mechanism, type[SASLPlaintext] | type[SASLScram256] | type[SASLScram512]] = {
    "SCRAM-SHA-512": SASLScram512,
    "SCRAM-SHA-256": SASLScram256,
    "PLAIN": SASLPlaintext,
}


@dataclass(frozen=True, slots=True)
class Security:
    """No `tls` is plain text, no `user` is nobody."""

    tls: SSLContext | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    mechanism: Mechanism = "SCRAM-SHA-512"

    @property
    def of_broker(self) -> BaseSecurity:
        """What a FastStream broker takes."""
        if self.user:
            return _KINDS[self.mechanism](self.user, self.password, ssl_context=self.tls)
        return BaseSecurity(ssl_context=self.tls)

    @property
    def of_client(self) -> dict[str, Any]:
        """What a client of aiokafka takes."""
        return parse_security(self.of_broker)


OPEN = Security()
