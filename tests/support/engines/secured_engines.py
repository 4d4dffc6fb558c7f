"""Engines with TLS and an account with least privilege."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization


@dataclass(frozen=True, slots=True)
class EngineAccess:
    """The account, what its topic, database and bucket are called, and what an engine shows to whoever comes.

    All files are PEM: `chain` is shown, `key` proves it, `certificate` is both in one, `authority` vouches for it.
    """

    folder: Path
    name: str = "simpul-guarded"
    user: str = "simpul-service"
    password: str = field(default="Ombak7-Biru-di-Maba", repr=False)

    @property
    def chain(self) -> Path:
        return self.folder / "chain.pem"

    @property
    def key(self) -> Path:
        return self.folder / "key.pem"

    @property
    def certificate(self) -> Path:
        return self.folder / "certificate.pem"

    @property
    def authority(self) -> Path:
        return self.folder / "authority.pem"


def access(folder: Path) -> EngineAccess:
    """Create credentials with a certificate for this machine from a new authority."""
    folder.mkdir(parents=True, exist_ok=True)
    made, authority = EngineAccess(folder), trustme.CA()
    leaf = authority.issue_cert("127.0.0.1")
    key, chain = _key_for_java(leaf), b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
    made.authority.write_bytes(authority.cert_pem.bytes())
    made.key.write_bytes(key)
    made.chain.write_bytes(chain)
    made.certificate.write_bytes(key + chain)
    return made


def _key_for_java(leaf: trustme.LeafCert) -> bytes:
    """Return the key as PKCS #8, the only format that Java reads."""
    key = serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form)
