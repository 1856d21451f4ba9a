"""A paper as PDF, by reportlab; the same paper gives the same bytes.

Latin letters are set in Helvetica, all others in a Japanese face that viewers have or bring along
(Adobe-Japan1): nothing is embedded, so letters of neither are left to the viewer.
"""

from collections.abc import Iterator
from functools import cache
from io import BytesIO
from itertools import groupby
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor, black
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.pdfmetrics import registerFont
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from papers.codes import BORDER, modules_of
from papers.paper import Pair, Paper

LATIN, BOLD, JAPANESE = "Helvetica", "Helvetica-Bold", "HeiseiKakuGo-W5"
_MARGIN = 20 * mm
#: A frame keeps six points free on each side.
_WIDTH = A4[0] - 2 * _MARGIN - 12
#: The width of a module of a QR code, which cameras need in print: a code is 39 mm wide or more.
_MODULE = 0.8 * mm
_QUIET = HexColor("#55585c")
_RULE = HexColor("#b8bbbf")


def pdf_of(paper: Paper) -> bytes:
    """The paper on pages of A4."""
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
    document.build(list(_story(paper)))
    return file.getvalue()


def _story(paper: Paper) -> Iterator[Any]:
    """What stands on the paper, from its head to its foot."""
    yield _said(paper.title, "title")
    yield _sides(paper)
    yield Spacer(0, 6 * mm)
    yield _pairs(paper.facts)
    yield Spacer(0, 6 * mm)
    yield _lines(paper)
    yield _said(paper.labels["standing"], "heading")
    yield _pairs(paper.standing)
    if paper.to_pay:
        yield _said(paper.labels["how"], "heading")
        yield _pairs(paper.to_pay)
    if paper.code:
        yield _scanned(paper.code, paper.labels["scan"])
    yield Spacer(0, 4 * mm)
    for note in paper.notes:
        yield _said(note, "note")


def _said(text: str, style: str = "text") -> Any:
    return Paragraph(_set(text), _styles()[style])


def _sides(paper: Paper) -> Any:
    sides = [
        [_said(label, "quiet"), *(_said(line) for line in lines)]
        for label, lines in (
            (paper.labels["from"], paper.issuer),
            (paper.labels["to"], paper.payer),
        )
    ]
    return _table([sides], [_WIDTH / 2] * 2, _TIGHT)


def _pairs(rows: tuple[Pair, ...]) -> Any:
    cells = [[_said(label, "quiet"), _said(value)] for label, value in rows]
    return _table(cells, [55 * mm, _WIDTH - 55 * mm], _TIGHT)


def _scanned(code: str, said: str) -> Any:
    drawn = _Code(code)
    widths = [drawn.width, _WIDTH - drawn.width]
    # Without splitInRow: what is left of a page may be too little for the code.
    return Table([[drawn, _said(said, "quiet")]], colWidths=widths, style=_MIDDLE, hAlign="LEFT")


class _Code(Flowable):  # type: ignore[misc]  # reportlab has no types
    """A QR code as one black area, so that no reader sees seams between its modules."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._rows = modules_of(text)
        self.width = self.height = (len(self._rows) + 2 * BORDER) * _MODULE

    def draw(self) -> None:
        """On the canvas, from the lower left."""
        path = self.canv.beginPath()
        for y, row in enumerate(self._rows, BORDER + 1):
            x = BORDER
            for is_dark, run in groupby(row):
                length = len(list(run))
                if is_dark:
                    size = (length * _MODULE, _MODULE)
                    path.rect(x * _MODULE, self.height - y * _MODULE, *size)
                x += length
        self.canv.setFillColor(black)
        self.canv.drawPath(path, stroke=0, fill=1)


def _lines(paper: Paper) -> Any:
    first, *others = paper.columns
    head = [_said(first, "quiet"), *(_said(column, "quiet right") for column in others)]
    body = [
        [_said(what), _said(quantity, "right"), _said(price, "right"), _said(amount, "right")]
        for what, quantity, price, amount in paper.lines
    ]
    total = [_said(paper.total[0], "strong"), "", "", _said(paper.total[1], "strong right")]
    widths = [_WIDTH - 95 * mm, 20 * mm, 35 * mm, 40 * mm]
    return _table([head, *body, total], widths, _RULED)


def _table(cells: list[Any], widths: list[float], style: TableStyle) -> Any:
    # What is longer than a page goes on on the next one.
    return Table(cells, colWidths=widths, style=style, hAlign="LEFT", splitInRow=1)


def _set(text: str) -> str:
    """The text with its faces, as reportlab's paragraphs take it."""
    shown = text.replace("\u202f", "\xa0")
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
_MIDDLE = TableStyle(
    [
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("LEFTPADDING", (0, 0), (0, -1), 0),
        ("TOPPADDING", (0, 0), (-1, -1), 6),
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
