"""Security of the connection to Kafka: plaintext or TLS, anonymous or with a user and a password (SASL)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any, Literal

from faststream.kafka.security import parse_security
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

SaslMechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]

_SASL_CLASSES: Mapping[SaslMechanism, type[SASLPlaintext] | type[SASLScram256] | type[SASLScram512]] = {
    "SCRAM-SHA-512": SASLScram512,
    "SCRAM-SHA-256": SASLScram256,
    "PLAIN": SASLPlaintext,
}


@dataclass(frozen=True, slots=True)
class KafkaSecurity:
    """Without `tls` the connection is plaintext, without `user` it is anonymous."""

    tls: SSLContext | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    mechanism: SaslMechanism = "SCRAM-SHA-512"

    @property
    def broker_security(self) -> BaseSecurity:
        """The security of a FastStream broker."""
        if self.user:
            return _SASL_CLASSES[self.mechanism](self.user, self.password, ssl_context=self.tls)
        return BaseSecurity(ssl_context=self.tls)

    @property
    def client_options(self) -> dict[str, Any]:
        """The options of an aiokafka client."""
        return parse_security(self.broker_security)


PLAINTEXT = KafkaSecurity()
