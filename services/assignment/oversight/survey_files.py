"""The satisfaction report as PDF and as XLSX."""

from __future__ import annotations

from datetime import date
from io import BytesIO

from xlsxwriter import Workbook

from services.assignment.errors import WORDS
from services.assignment.handover_record.pdf_layout import LEFT, LINE_HEIGHT
from services.assignment.handover_record.pdf_table import Column, table
from services.assignment.oversight.pdf_report import start_report
from services.assignment.oversight.presenters import BAND_LABELS, ELEMENT_NAMES, scope_name
from services.assignment.oversight.satisfaction import ELEMENTS, SurveySums
from services.assignment.oversight.service import SurveyReport
from shared.web.views.formats import format_decimal

TEXTS = WORDS.survey


def survey_pdf(report: SurveyReport, day: date) -> bytes:
    """Render the report; `day` is that on which it is made. Takes a while: run it in a thread."""
    subtitles = [TEXTS.period.format(period=report.period.label), TEXTS.scope.format(scope=scope_name(report.scope))]
    layout = start_report(TEXTS.pdf_title, subtitles, day)
    columns = [Column("No.", 12), Column(TEXTS.element, 95), Column(TEXTS.mean, 33, True), Column(TEXTS.quality, 25)]
    rows = [
        [ELEMENTS[index], ELEMENT_NAMES[index], _decimal(sums_mean), report.sums.element_band(index) or "-"]
        for index, sums_mean in enumerate(map(report.sums.mean, range(len(ELEMENTS))))
    ]
    table(layout, columns, rows)
    for line in (_index_line(report.sums), TEXTS.count.format(n=report.sums.n), TEXTS.method):
        layout.paragraph(line)
        layout.y += 1
    if report.comments:
        layout.y += LINE_HEIGHT
        layout.text(LEFT, TEXTS.comments, bold=True)
        layout.y += LINE_HEIGHT + 1
        for comment in report.comments:
            layout.paragraph(f"- {comment}")
    return layout.output()


def survey_xlsx(report: SurveyReport) -> bytes:
    """Return a workbook with a sheet of figures and one of comments; every text is written as text, never as a formula."""
    target = BytesIO()
    with Workbook(target, {"in_memory": True}) as book:
        bold, decimal = book.add_format({"bold": True}), book.add_format({"num_format": "0.00"})
        sheet = book.add_worksheet("SKM")
        sheet.set_column(1, 1, 60)
        sheet.write_string(0, 0, TEXTS.pdf_title, bold)
        sheet.write_string(1, 0, f"{report.period.label}, {scope_name(report.scope)}")
        for column, heading in enumerate(("No.", TEXTS.element, TEXTS.mean, TEXTS.quality)):
            sheet.write_string(3, column, heading, bold)
        for index, code in enumerate(ELEMENTS):
            sheet.write_string(4 + index, 0, code)
            sheet.write_string(4 + index, 1, ELEMENT_NAMES[index])
            if (mean := report.sums.mean(index)) is not None:
                sheet.write_number(4 + index, 2, float(mean), decimal)
                sheet.write_string(4 + index, 3, report.sums.element_band(index) or "")
        sheet.write_string(14, 1, TEXTS.index, bold)
        if report.sums.ikm is not None:
            sheet.write_number(14, 2, float(report.sums.ikm), decimal)
            sheet.write_string(14, 3, report.sums.band or "")
        sheet.write_string(15, 1, TEXTS.respondents)
        sheet.write_number(15, 2, report.sums.n)
        comments = book.add_worksheet(TEXTS.comments_sheet)
        comments.set_column(0, 0, 100)
        for row, comment in enumerate(report.comments):
            comments.write_string(row, 0, comment)
    return target.getvalue()


def _index_line(sums: SurveySums) -> str:
    if sums.ikm is None or sums.band is None:
        return str(TEXTS.no_answers)
    return str(TEXTS.index_line.format(index=_decimal(sums.ikm), band=sums.band, label=BAND_LABELS[sums.band]))


def _decimal(value: object) -> str:
    return format_decimal(value, 2) if value is not None else "-"
