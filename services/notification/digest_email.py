"""The daily digest as an email."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from services.notification.email_rendering import INDONESIAN, RenderedEmail, clean_text, render_frame
from services.notification.email_texts import Block, Facts, Paragraph, Point, Points, Span


@dataclass(frozen=True, slots=True)
class DigestContent:
    """`own` and `late` are overdue requests `{number, about, stage, days}`, `moments` are labels and the numbers of their requests.

    `total` counts all own overdue requests, of which `own` shows some; `stages` counts those of the whole office.
    """

    name: str
    day: date
    link: str
    own: Sequence[Mapping[str, Any]] = ()
    total: int = 0
    late: Sequence[Mapping[str, Any]] = ()
    stages: Mapping[str, int] = field(default_factory=dict)
    moments: Sequence[tuple[str, str]] = ()


def render_digest(content: DigestContent) -> RenderedEmail:
    """Render a digest. Raises InvalidEmail."""
    frame, words = INDONESIAN.frame, INDONESIAN.frame.digest
    overdue = words["count"].format(count=content.total)
    summary = [
        (words["day"], frame.date(content.day)),
        (words["overdue"], overdue),
        (frame.next, words["next"] if content.total else words["next_read"]),
    ]
    subject = words["subject"].format(count=content.total) if content.total else words["subject_moments"]
    return render_frame(
        subject=subject,
        heading=words["heading"],
        preview=overdue,
        name=content.name,
        summary=summary,
        blocks=_blocks(content, words),
        button=words["button"],
        link=content.link,
    )


def _blocks(content: DigestContent, words: Mapping[str, str]) -> list[Block]:
    blocks: list[Block] = []
    if content.own:
        blocks += [Paragraph([Span(words["own"])]), Points([_point(item) for item in content.own])]
    if content.total > len(content.own):
        blocks.append(Paragraph([Span(words["more"].format(count=content.total - len(content.own)))]))
    if content.late:
        counts = [
            (INDONESIAN.frame.stages.get(stage, stage), words["count"].format(count=count))
            for stage, count in content.stages.items()
        ]
        blocks += [
            Paragraph([Span(words["stages"])]),
            Facts(counts),
            Paragraph([Span(words["late"])]),
            Points([_point(item) for item in content.late]),
        ]
    if content.moments:
        blocks += [Paragraph([Span(words["moments"])]), Facts([*content.moments])]
    return blocks


def _point(item: Mapping[str, Any]) -> Point:
    frame = INDONESIAN.frame
    late = frame.digest["late_by"].format(days=frame.working_days.format(count=item["days"]))
    stage = frame.stages.get(item["stage"], item["stage"])
    return Point(f"{item['number']}, {late}", f"{stage}: {clean_text(str(item['about']))}")
