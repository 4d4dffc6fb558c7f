"""Damage stored records: change the text of their states without the service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import apsw

from shared.storage.compression import compress, decompress


def replace_in_bodies(
    service: str, old: str, new: str, request_id: str | None = None
) -> Callable[[apsw.Connection], None]:
    """Return a write that replaces a text in the states of a service, or in that of one request."""

    def write(db: apsw.Connection) -> None:
        select = f"SELECT place, body FROM {service}_documents WHERE ?1 IS NULL OR id=?1"
        stored: list[tuple[Any, ...]] = db.execute(select, (request_id,)).fetchall()
        for place, body in stored:
            changed = compress(decompress(body).replace(old.encode(), new.encode()))
            db.execute(f"UPDATE {service}_documents SET body=? WHERE place=?", (changed, place))

    return write
