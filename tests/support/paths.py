"""Where files of the repository are."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SAMPLES = REPOSITORY / "tests" / "contracts" / "samples"
