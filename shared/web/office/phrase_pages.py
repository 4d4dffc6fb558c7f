"""The page on which heads and administrators change the ready-made sentences."""

from __future__ import annotations

from itertools import zip_longest

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import Response

from shared.text.cleaning import parse_number
from shared.web.admin.admin_pages import AdminTemplates
from shared.web.api.problems import validation_problem
from shared.web.api.validation import FieldError, error_message
from shared.web.dependencies import platform_of
from shared.web.forms.posted_form import PostedForm
from shared.web.office.phrases import HEADS_AND_ADMINS, HeadOrAdmin, PhrasesBody, PhraseUse, load_phrases, save_phrases
from shared.web.views.page_routes import PageRoute, add_form_page, see_other

PATH, SAVED = "/kalimat", "tersimpan"
FIELDS = ("shortcut", "title", "text", "use")
BLANK_ROWS = 2

templates = AdminTemplates("shared.web.views")
router = APIRouter(route_class=PageRoute, include_in_schema=False)

Row = dict[str, str]


class PhrasesPage:
    """All sentences, one row each, with blank rows for new ones; a row without title and text is removed."""

    def __init__(self, request: Request, _editor: HeadOrAdmin) -> None:
        self._request = request

    async def show(self, posted: PostedForm) -> Response:
        phrases, version = await load_phrases(platform_of(self._request).office)
        rows = _rows(posted) if posted.sent else [phrase.model_dump(mode="json") for phrase in phrases]
        blank = {**dict.fromkeys(FIELDS, ""), "use": PhraseUse.RETURN.value}
        return await templates(
            self._request,
            "phrases.html",
            posted=posted,
            rows=[*rows, *([blank] * BLANK_ROWS)],
            version=posted.text("version", version),
            labels_of_fields=_field_labels(len(rows)),
            uses=[use.value for use in PhraseUse],
            saved=SAVED in self._request.query_params and not posted.sent,
        )

    async def submit(self, posted: PostedForm) -> Response:
        try:
            body = PhrasesBody.model_validate({"items": _rows(posted), "version": parse_number(posted.text("version"))})
        except ValidationError as error:
            raise validation_problem(
                [FieldError(_field_id(detail["loc"]), error_message(detail)) for detail in error.errors()]
            ) from error
        await save_phrases(platform_of(self._request).office, body)
        return see_other(f"{PATH}?{SAVED}")


def _field_labels(count: int) -> dict[str, str]:
    """Return the labels of the fields in the error summary."""
    texts = templates.words.phrases
    labels = {"title": texts.title_label, "shortcut": texts.shortcut, "text": texts.text, "use": texts.use}
    return {f"{name}-{row}": labels[name] for row in range(max(count, 1)) for name in FIELDS}


def _rows(posted: PostedForm) -> list[Row]:
    """Return the rows that have a text or a title."""
    columns = [posted.many(name) for name in FIELDS]
    rows = [dict(zip(FIELDS, values, strict=True)) for values in zip_longest(*columns, fillvalue="")]
    return [row for row in rows if row["text"].strip() or row["title"].strip()]


def _field_id(place: tuple[int | str, ...]) -> str:
    """Return the id of the field in its row, of the first one if the error is about all rows."""
    return f"{place[2]}-{place[1]}" if len(place) > 2 else "shortcut-0"


add_form_page(router, PATH, PhrasesPage, HEADS_AND_ADMINS)
