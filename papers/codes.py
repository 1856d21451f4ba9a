"""QR codes as pictures: black on white, with the free border of four modules that cameras need.

Error correction M, as EPC069-12 wants it of girocodes.
"""

from functools import lru_cache
from io import BytesIO

import segno

BORDER = 4
#: Pixels of a module in a PNG: a code of 41 modules is 294 pixels wide with its border.
PIXELS = 6


def svg_of(text: str) -> str:
    """An SVG element without a size, to stand in a page."""
    return _code(text).svg_inline(
        border=BORDER, light="#fff", omitsize=True, svgclass=None, lineclass=None
    )


def png_of(text: str) -> bytes:
    """A PNG."""
    file = BytesIO()
    _code(text).save(file, kind="png", scale=PIXELS, border=BORDER)
    return file.getvalue()


def modules_of(text: str) -> tuple[tuple[bool, ...], ...]:
    """Whether each module is dark, row by row from the top, without the border."""
    return tuple(tuple(map(bool, row)) for row in _code(text).matrix)


#: Of a code most time goes into its pattern, some milliseconds: page, paper and letter share it.
@lru_cache(maxsize=256)
def _code(text: str) -> segno.QRCode:
    return segno.make_qr(text, error="m", mode="byte", encoding="utf-8", boost_error=False)
