"""A card as a picture: what is sold, the count on its way to the goal, the price, the deadline.

The same card on the same fonts gives the same bytes.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageDraw

from services.storefront.cards.faces import Faces
from services.storefront.rules.chart import LENGTH, Bar

#: The size that Open Graph and Twitter ask for.
SIZE = (1200, 630)
#: Rises when cards are drawn in another way, so that nobody keeps an old one.
DRAWING = 2
_MARGIN, _RIGHT = 72, 1200 - 72
_WIDTH = _RIGHT - _MARGIN
#: The colours of the pages (``static/style.css``), light.
_GROUND, _SHEET, _INK, _SOFT = "#f3f5f8", "#ffffff", "#1b2431", "#55606f"
_RULE, _LIVELY, _GOOD = "#d9dfe7", "#12936d", "#0b6b4f"
_BRAND = "jointbuy"
_SIZE_MIN = 10
#: Most characters of a name that are looked at; two lines hold fewer.
NAME_MAX = 200
#: Small and prolonging characters, which do not begin a line; nor does closing punctuation.
_NOT_FIRST = frozenset("ーぁぃぅぇぉっゃゅょァィゥェォッャュョ々")
_CLOSING = frozenset({"Pe", "Pf", "Po"})


@dataclass(frozen=True, slots=True)
class Card:
    """Everything that is on a card, in the words of one language. It names no person."""

    kind: str
    name: str
    count: str
    goal: str
    progress: Bar
    price: str
    price_label: str
    next_goal: str
    deadline: str


def png_of(card: Card, faces: Faces) -> bytes:
    """The picture. A text that the fonts can't draw is left out."""
    image = Image.new("RGB", SIZE, _GROUND)
    pen = _Pen(ImageDraw.Draw(image), faces)
    pen.draw.rectangle((0, 0, SIZE[0], 12), fill=_LIVELY)
    _head(pen, card)
    _name(pen, card)
    _figures(pen, card)
    _bar(pen.draw, card.progress)
    if card.next_goal:
        pen.text((_MARGIN, 554), card.next_goal, 32, _GOOD, bold=True, most=_WIDTH)
    pen.text((_MARGIN, 602 if card.next_goal else 570), card.deadline, 32, _SOFT, most=_WIDTH)
    file = BytesIO()
    # Few colours: a palette makes the file a third as large.
    image.quantize(64, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(file, "PNG")
    return file.getvalue()


class _Pen:
    """Draws texts with the fonts that have their characters."""

    def __init__(self, draw: ImageDraw.ImageDraw, faces: Faces) -> None:
        self.draw = draw
        self.faces = faces

    def length(self, text: str, size: int, bold: bool = False) -> float:
        return sum(run.font.getlength(run.text) for run in self.faces.runs(text, size, bold))

    def text(
        self,
        at: tuple[float, float],
        text: str,
        size: int,
        colour: str,
        *,
        bold: bool = False,
        is_right: bool = False,
        most: float = _WIDTH,
    ) -> float:
        """Draw on the baseline at ``at``, from the left or up to the right; returns the length.

        A text longer than ``most`` is drawn smaller.
        """
        shown = self.faces.shown(text)
        length = self.length(shown, size, bold)
        if length > most:
            size = max(int(size * most / length), _SIZE_MIN)
            length = self.length(shown, size, bold)
        x = at[0] - length if is_right else at[0]
        for run in self.faces.runs(shown, size, bold):
            self.draw.text((x, at[1]), run.text, fill=colour, font=run.font, anchor="ls")
            x += run.font.getlength(run.text)
        return length


def _head(pen: _Pen, card: Card) -> None:
    """The mark of the pages, the brand, and the kind of purchase."""
    for x in (4, 11, 18, 25):
        pen.draw.line((_MARGIN + 2 * x, 66, _MARGIN + 2 * x, 102), fill=_INK, width=5)
    pen.draw.line((_MARGIN + 2, 96, _MARGIN + 64, 70), fill=_LIVELY, width=5)
    pen.text((_MARGIN + 84, 99), _BRAND, 42, _INK, bold=True)
    pen.text((_RIGHT, 97), card.kind, 32, _SOFT, is_right=True, most=700)


def _name(pen: _Pen, card: Card) -> None:
    """The product's name, in two lines at most."""
    size = 64
    lines = wrapped(pen.faces.shown(card.name), lambda text: pen.length(text, size, True) <= _WIDTH)
    for number, line in enumerate(lines):
        pen.text((_MARGIN, 200 + number * 78), line, size, _INK, bold=True)


def _figures(pen: _Pen, card: Card) -> None:
    count = pen.text((_MARGIN, 450), card.count, 128, _INK, bold=True, most=520)
    pen.text((_MARGIN + count + 20, 450), card.goal, 44, _SOFT, most=660 - count - 40)
    if card.price:
        pen.text((_RIGHT, 372), card.price_label, 32, _SOFT, is_right=True, most=380)
        pen.text((_RIGHT, 450), card.price, 72, _GOOD, bold=True, is_right=True, most=380)


def _bar(draw: ImageDraw.ImageDraw, progress: Bar) -> None:
    top, bottom = 480, 510

    def place(of: int) -> int:
        return _MARGIN + _WIDTH * of // LENGTH

    draw.rounded_rectangle((_MARGIN, top, _RIGHT, bottom), 8, fill=_RULE)
    if progress.filled:
        draw.rounded_rectangle((_MARGIN, top, place(progress.filled), bottom), 8, fill=_LIVELY)
    for mark in progress.marks:
        draw.line((place(mark), top, place(mark), bottom), fill=_SHEET, width=4)
    goal = min(place(progress.goal), _RIGHT - 3)
    draw.line((goal, top - 6, goal, bottom + 6), fill=_INK, width=6)


def wrapped(text: str, fits: Callable[[str], bool], lines_max: int = 2) -> list[str]:
    """The text in lines that fit; the last one ends in "…" if the text is too long."""
    lines = [""]
    for piece in _pieces(text[:NAME_MAX], fits):
        if fits((lines[-1] + piece).rstrip()):
            lines[-1] += piece
        else:
            lines.append(piece)
    lines = [line.strip() for line in lines if line.strip()]
    if len(lines) <= lines_max and len(text) <= NAME_MAX:
        return lines
    last = lines[min(lines_max, len(lines)) - 1]
    while not fits(f"{last}…"):
        last = last[:-1].rstrip()
    return [*lines[: lines_max - 1], f"{last}…"]


def _pieces(text: str, fits: Callable[[str], bool]) -> Iterator[str]:
    """Where a line may end: behind a word, and behind most Japanese characters."""
    for word in re.findall(r"\S+\s*", text):
        if fits(word.rstrip()) and not any(map(_is_wide, word)):
            yield word
            continue
        piece = ""
        for character in word:
            if piece and not _stays(character):
                yield piece
                piece = ""
            piece += character
        yield piece


def _stays(character: str) -> bool:
    """Whether a character stays on the line of the one before it."""
    closes = unicodedata.category(character) in _CLOSING
    return closes or character in _NOT_FIRST or character.isspace()


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"
