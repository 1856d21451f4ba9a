"""A paper as PDF, by reportlab; the same paper gives the same bytes.

Latin letters are set in Helvetica, all others in a Japanese face that viewers have or bring along
(Adobe-Japan1): nothing is embedded, so letters of neither are left to the viewer.
"""

from functools import cache
from io import BytesIO
from itertools import groupby
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.pdfmetrics import registerFont
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from services.storefront.invoices.papers import Pair, Paper

LATIN, BOLD, JAPANESE = "Helvetica", "Helvetica-Bold", "HeiseiKakuGo-W5"
_MARGIN = 20 * mm
#: A frame keeps six points free on each side.
_WIDTH = A4[0] - 2 * _MARGIN - 12
_QUIET = HexColor("#55585c")
_RULE = HexColor("#b8bbbf")
#: What a table's cell can hold is a page at most; a product's name may be a thousand letters long.
_CELL_CHARACTERS_MAX = 1_200


def pdf_of(paper: Paper) -> bytes:
    """The paper on pages of A4."""
    styles = _styles()
    file = BytesIO()
    document = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN,
        title=paper.title,
        author=paper.issuer[0],
        lang=paper.language,
        invariant=1,
    )

    def said(text: str, style: str = "text") -> Any:
        return Paragraph(_set(text), styles[style])

    def pairs(rows: tuple[Pair, ...]) -> Any:
        cells = [[said(label, "quiet"), said(value)] for label, value in rows]
        return Table(cells, colWidths=[55 * mm, _WIDTH - 55 * mm], style=_TIGHT, hAlign="LEFT")

    sides = [
        [said(label, "quiet"), *(said(line) for line in lines)]
        for label, lines in (
            (paper.labels["from"], paper.issuer),
            (paper.labels["to"], paper.payer),
        )
    ]
    head = [
        said(column, "quiet" if not at else "quiet right")
        for at, column in enumerate(paper.columns)
    ]
    body = [
        [said(what), said(quantity, "right"), said(price, "right"), said(amount, "right")]
        for what, quantity, price, amount in paper.lines
    ]
    total = [said(paper.total[0], "strong"), "", "", said(paper.total[1], "strong right")]
    story: list[Any] = [
        said(paper.title, "title"),
        Table([sides], colWidths=[_WIDTH / 2] * 2, style=_TIGHT, hAlign="LEFT"),
        Spacer(0, 6 * mm),
        pairs(paper.facts),
        Spacer(0, 6 * mm),
        Table(
            [head, *body, total],
            colWidths=[_WIDTH - 95 * mm, 20 * mm, 35 * mm, 40 * mm],
            repeatRows=1,
            style=_RULED,
            hAlign="LEFT",
        ),
        said(paper.labels["standing"], "heading"),
        pairs(paper.standing),
    ]
    if paper.to_pay:
        story += [said(paper.labels["how"], "heading"), pairs(paper.to_pay)]
    story += [Spacer(0, 4 * mm), *(said(note, "note") for note in paper.notes)]
    document.build(story)
    return file.getvalue()


def _set(text: str) -> str:
    """The text with its faces, as reportlab's paragraphs take it."""
    shown = text.replace("\u202f", "\xa0")[:_CELL_CHARACTERS_MAX]
    return "".join(
        escape("".join(run))
        if is_latin
        else f'<font name="{JAPANESE}">{escape("".join(run))}</font>'
        for is_latin, run in groupby(shown, _is_latin)
    )


def _is_latin(character: str) -> bool:
    try:
        character.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


_TIGHT = TableStyle(
    [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 0),
        ("TOPPADDING", (0, 0), (-1, -1), 1),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
    ]
)
_RULED = TableStyle(
    [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (0, -1), 0),
        ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
        ("LINEBELOW", (0, 0), (-1, 0), 0.5, _RULE),
        ("LINEABOVE", (0, -1), (-1, -1), 0.5, _RULE),
        ("SPAN", (0, -1), (2, -1)),
    ]
)


@cache
def _styles() -> dict[str, ParagraphStyle]:
    registerFont(UnicodeCIDFont(JAPANESE))
    text = ParagraphStyle("text", fontName=LATIN, fontSize=10, leading=14, wordWrap="CJK")
    right = ParagraphStyle("right", text, alignment=TA_RIGHT)
    return {
        "text": text,
        "right": right,
        "quiet": ParagraphStyle("quiet", text, textColor=_QUIET),
        "quiet right": ParagraphStyle("quiet right", right, textColor=_QUIET),
        "strong": ParagraphStyle("strong", text, fontName=BOLD, fontSize=12, leading=16),
        "strong right": ParagraphStyle(
            "strong right", right, fontName=BOLD, fontSize=12, leading=16
        ),
        "title": ParagraphStyle(
            "title", text, fontName=BOLD, fontSize=18, leading=24, spaceAfter=8 * mm
        ),
        "heading": ParagraphStyle(
            "heading",
            text,
            fontName=BOLD,
            fontSize=12,
            leading=16,
            spaceBefore=8 * mm,
            spaceAfter=2 * mm,
        ),
        "note": ParagraphStyle("note", text, textColor=_QUIET, spaceAfter=2 * mm),
    }
