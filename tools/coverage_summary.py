"""Write docs/coverage.md from the measurement of `make coverage`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

OUTPUT_PATH = Path("docs/coverage.md")
PAGE = """# Test coverage

Written by `make coverage`; do not edit. Statements and branches that the unit, adapter and integration tests execute, without
those marked slow: **{total:.1f} %**. Code that runs in other processes (the sandbox, the command line, the distributed mode)
is tested by the other tests, which are not measured here.

| package | statements | covered, % |
| --- | --- | --- |
{rows}
"""


def main() -> None:
    command = [sys.executable, "-m", "coverage", "json", "--quiet", "-o", "-"]
    measured = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    totals: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path, file in measured["files"].items():
        totals["/".join(Path(path).parts[:2])].append(file["summary"])
    rows = "\n".join(_row(package, summaries) for package, summaries in sorted(totals.items()) if "." not in package)
    OUTPUT_PATH.write_text(PAGE.format(total=measured["totals"]["percent_covered"], rows=rows), encoding="utf-8")
    print(f"written: {OUTPUT_PATH}")


def _row(package: str, summaries: list[dict[str, Any]]) -> str:
    def total(*names: str) -> int:
        return sum(summary[name] for summary in summaries for name in names)

    covered = total("covered_lines", "covered_branches") / max(1, total("num_statements", "num_branches"))
    return f"| `{package}` | {total('num_statements'):,} | {100 * covered:.1f} |"


if __name__ == "__main__":
    main()
