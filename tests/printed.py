"""Reads QR codes and PDFs back: pages, letters and papers, as the camera of a phone does."""

import io
import re
from collections.abc import Iterator

import pypdfium2
import zxingcpp
from PIL import Image
from pypdf import PdfReader

#: Pixels of a module.
_SCALE = 4
_NUMBERS = re.compile(r"([Mhm])(-?\d+(?:\.5)?)(?: (-?\d+(?:\.5)?))?")


def read_png(png: bytes) -> list[str]:
    """The texts of the codes on a picture."""
    return _read(Image.open(io.BytesIO(png)))


def read_pdf(pdf: bytes) -> list[str]:
    """The texts of the codes on all pages of a PDF, printed at 150 dots per inch."""
    return [text for page in pages_of(pdf) for text in _read(page)]


def pages_of(pdf: bytes) -> Iterator[Image.Image]:
    """Each page as a picture, at 150 dots per inch."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        for page in document:
            yield page.render(scale=150 / 72).to_pil()
    finally:
        document.close()


def text_of_pdf(pdf: bytes) -> list[str]:
    """The text of each page."""
    return [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]


def read_svgs(page: str) -> list[str]:
    """The texts of the codes that segno drew into an HTML page."""
    found = re.findall(r'<svg viewBox="0 0 (\d+) \1">.*?stroke="#000" d="([^"]+)"', page, re.DOTALL)
    return [text for size, path in found for text in _read(_drawn(int(size), path))]


def _drawn(size: int, path: str) -> Image.Image:
    """A path of horizontal strokes, each a module high."""
    image = Image.new("L", (size, size), 255)
    x = y = 0.0
    for command, first, second in _NUMBERS.findall(path):
        if command == "h":
            for at in range(int(x), int(x + float(first))):
                image.putpixel((at, int(y)), 0)
            x += float(first)
        elif command == "M":
            x, y = float(first), float(second)
        else:
            x, y = x + float(first), y + float(second)
    return image.resize((size * _SCALE, size * _SCALE))


def _read(image: Image.Image) -> list[str]:
    return [each.text for each in zxingcpp.read_barcodes(image.convert("L"))]
