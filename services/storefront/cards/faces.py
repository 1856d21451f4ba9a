"""Which font draws which character of a card.

Fonts are binaries, so none is in this repository. Cards are drawn with the fonts that
``CARD_FONTS`` names, else with those of the machine, else with the Latin font inside Pillow.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from PIL import ImageFont

#: Fonts that systems have, by the name of their file: bold, then regular. Pillow looks for the name
#: in the system's folders. The first three have Japanese and Latin characters.
KNOWN = (
    ("NotoSansCJK-Bold.ttc", "NotoSansCJK-Regular.ttc"),
    ("ipaexg.ttf", "ipaexg.ttf"),
    ("ヒラギノ角ゴシック W6.ttc", "ヒラギノ角ゴシック W3.ttc"),
    ("DejaVuSans-Bold.ttf", "DejaVuSans.ttf"),
)
#: A code point that is not a character, so every font draws its sign for a missing one.
_MISSING = "\uffff"
_PROBE_SIZE = 24
#: Most fonts kept open: a card has ten, and each size of a Japanese font takes 2 MB.
OPEN_MAX = 20


class Run(NamedTuple):
    """Characters in a row that one font draws."""

    font: ImageFont.FreeTypeFont
    text: str


class Faces:
    """Fonts in the order in which they are tried. Raises ``OSError`` for a file without a font."""

    def __init__(self, files: Iterable[str] = ()) -> None:
        """``files`` come first; without them, the fonts of the machine do."""
        named = [(file, file) for file in files]
        for file, _ in named:
            try:
                _opened(file, 1)
            except OSError as error:
                raise OSError(f"CARD_FONTS {file}: {error}") from None
        self._pairs = [*named, *(() if named else _on_this_machine()), ("", "")]
        self._place = lru_cache(maxsize=20_000)(self._first_with)

    def has(self, character: str) -> bool:
        """Whether a font has the character."""
        return self._place(character) is not None

    def shown(self, text: str) -> str:
        """The text without what no font can draw; empty if a letter or a digit would be missing.

        So a signature emoji is left out, and a name in an unknown script is left out as a whole.
        """
        kept = []
        for character in unicodedata.normalize("NFC", re.sub(r"\s+", " ", text)).strip():
            kind = unicodedata.category(character)
            if kind.startswith("C"):
                continue
            if self.has(character):
                kept.append(character)
            elif kind[0] in "LN":
                return ""
        return "".join(kept)

    def runs(self, text: str, size: int, bold: bool) -> Iterator[Run]:
        """The text in pieces, each with its font. Characters that no font has are left out."""
        for place, characters in groupby(text, self._place):
            if place is not None:
                name = self._pairs[place][0 if bold else 1]
                yield Run(_opened(name, size), "".join(characters))

    def _first_with(self, character: str) -> int | None:
        return next(
            (n for n, (_, name) in enumerate(self._pairs) if _has(name, character)),
            None,
        )


def _on_this_machine() -> Iterator[tuple[str, str]]:
    for bold, regular in KNOWN:
        try:
            _opened(regular, 1)
        except OSError:
            continue
        try:
            _opened(bold, 1)
            yield bold, regular
        except OSError:
            yield regular, regular


def _has(name: str, character: str) -> bool:
    if character.isspace():
        return True
    drawn, missing = (_mask(name, each) for each in (character, _MISSING))
    return drawn != missing


def _mask(name: str, character: str) -> tuple[tuple[int, int], bytes]:
    # The shape engine may replace or join characters; the basic one draws each as it is.
    font = _opened(name, _PROBE_SIZE, ImageFont.Layout.BASIC)
    mask = font.getmask(character)
    return mask.size, bytes(mask)


@lru_cache(maxsize=OPEN_MAX)
def _opened(name: str, size: int, layout: ImageFont.Layout | None = None) -> ImageFont.FreeTypeFont:
    """A font in a size; without a name, the one inside Pillow. Raises ``OSError``."""
    if not name:
        inside = ImageFont.load_default(size)
        assert isinstance(inside, ImageFont.FreeTypeFont)
        return inside
    return ImageFont.truetype(name, size, layout_engine=layout)
