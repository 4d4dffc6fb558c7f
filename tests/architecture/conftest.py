from __future__ import annotations

from tests.services.conftest import tmp_path

__all__ = ["tmp_path"]
