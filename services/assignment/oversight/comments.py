"""The newest comments of survey answers by month and scope, so that a report of very many answers reads a bounded number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heappush, heappushpop
from typing import Any

from services.assignment.domain.state import SurveyAnswers
from shared.contracts.facts import Scope
from shared.storage.port import sortable_time

MAX_COMMENTS = 1000
"""The newest comments that are kept of each month and scope, and that a report has at most."""

TimedComment = tuple[str, str]
"""The time of an answer, in UTC with fixed precision, and its comment."""


class MonthComments:
    """The newest comments of a month, by scope."""

    def __init__(self, body: Mapping[str, Sequence[Sequence[str]]] | None = None) -> None:
        # What is stored is sorted, and therefore a heap.
        self._heaps: dict[str, list[TimedComment]] = {
            scope: [(at, text) for at, text in comments] for scope, comments in (body or {}).items()
        }

    def add(self, scope: Scope, survey: SurveyAnswers) -> None:
        heap, comment = self._heaps.setdefault(scope.value, []), (sortable_time(survey.at) or "", survey.comment)
        if len(heap) < MAX_COMMENTS:
            heappush(heap, comment)
        else:
            heappushpop(heap, comment)

    def to_json(self) -> dict[str, Any]:
        """Return the comments by scope, the oldest first."""
        return {scope: [[at, text] for at, text in sorted(heap)] for scope, heap in sorted(self._heaps.items())}


def newest_of_month(body: Mapping[str, Sequence[Sequence[str]]], scope: Scope | None) -> list[str]:
    """Return the comments of a stored month, the newest first."""
    wanted = [(at, text) for name, stored in body.items() if scope in (None, name) for at, text in stored]
    return [text for _, text in sorted(wanted, reverse=True)]
