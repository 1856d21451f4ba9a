"""Pictures that people send, encoded anew: bytes in, bytes out.

What is stored holds pixels and nothing else: no place where it was taken, no comment, no profile.
It is a WebP, which every browser shows and which can be made small with transparency too. The same
file gives the same bytes as long as the encoder stays the same.
"""

import re
import struct
import zlib
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from typing import Any, Final, Literal

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from schemas.images import IMAGE_BYTES_MAX, IMAGE_SIDE_MAX

#: Bytes of a file that is taken.
FILE_BYTES_MAX: Final = 8_000_000
#: Pixels of a picture that is decoded, which takes 100 to 250 MB for a moment. A WebP takes 400 MB,
#: and a picture that is one pixel wide 500 MB, as each line needs a pointer.
PIXELS_MAX: Final = 25_000_000
#: Pixels that a file may have, as a JPEG is decoded at a half or a quarter of its size.
FILE_PIXELS_MAX: Final = 50_000_000
#: Scans and segments of a JPEG. A scan of a progressive one costs up to 0.1 s, whatever its size,
#: and a usual one has ten.
SCANS_MAX: Final = 50
SEGMENTS_MAX: Final = 5_000
#: No SVG, which is a program; of a moving picture, the first frame.
FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
#: The longer side and the quality to try, until the file is small enough. The last always is.
_TRIES: Final = ((IMAGE_SIDE_MAX, 84), (IMAGE_SIDE_MAX, 70), (1_200, 70), (800, 65), (400, 50))
_ORIENTATION: Final = 0x0112
#: The begin of a JPEG; a marker, but not the bytes alike within a scan; scan; end.
_JPEG: Final = b"\xff\xd8"
_MARKER: Final = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
_SCAN: Final = b"\xda"
_END: Final = b"\xd9"
#: What decoders raise for bytes that are not as their format says.
_BROKEN: Final = (
    *(OSError, SyntaxError, ValueError, TypeError, ArithmeticError, LookupError, EOFError),
    *(struct.error, zlib.error),
)

Trouble = Literal["not-an-image", "broken", "too-many-pixels"]


class PictureError(ValueError):
    """A file that no picture can be made of, and why."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble)
        self.trouble = trouble


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is stored and served."""

    image_id: str
    width: int
    height: int
    data: bytes
    media_type: Literal["image/webp"] = "image/webp"


def encoded(file: bytes) -> Picture:
    """The picture of a file, at most ``IMAGE_SIDE_MAX`` pixels long and ``IMAGE_BYTES_MAX`` large.

    Raises ``PictureError``. Takes up to some seconds.
    """
    _need_few_scans(file)
    try:
        with Image.open(BytesIO(file), formats=FORMATS) as found:
            return _encoded(found)
    except UnidentifiedImageError:
        raise PictureError("not-an-image") from None
    except Image.DecompressionBombError:
        raise PictureError("too-many-pixels") from None
    except PictureError:
        raise
    except _BROKEN:
        raise PictureError("broken") from None


def _encoded(found: Image.Image) -> Picture:
    # Only the head of the file is read so far.
    _need_few_pixels(found, FILE_PIXELS_MAX)
    # A large JPEG is decoded at a fraction of its size.
    found.draft("RGB", (IMAGE_SIDE_MAX, IMAGE_SIDE_MAX))
    _need_few_pixels(found, PIXELS_MAX)
    found.load()
    turned = _turned(found)
    picture = _in_srgb(_small(found), found.info.get("icc_profile"))
    picture.getexif()[_ORIENTATION] = turned
    picture = ImageOps.exif_transpose(picture)
    for side, quality in _TRIES:
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        data = _webp(picture, quality)
        if len(data) <= IMAGE_BYTES_MAX:
            return Picture(sha256(data).hexdigest(), picture.width, picture.height, data)
    raise AssertionError("a picture of 400 pixels is small enough")


def _need_few_scans(file: bytes) -> None:
    """Refuse a JPEG that would keep the decoder busy for hours."""
    if not file.startswith(_JPEG):
        return
    at, scans, segments = len(_JPEG), 0, 0
    while (found := _MARKER.search(file, at)) and found[1] != _END:
        segments += 1
        scans += found[1] == _SCAN
        if scans > SCANS_MAX or segments > SEGMENTS_MAX:
            raise PictureError("broken")
        # A segment begins with its length, which includes the length's own two bytes.
        at = found.end() + max(int.from_bytes(file[found.end() : found.end() + 2]), 2)


def _need_few_pixels(found: Image.Image, most: int) -> None:
    if found.width * found.height > most:
        raise PictureError("too-many-pixels")


def _turned(found: Image.Image) -> int:
    """How the camera was held, as EXIF says it; upright if it can't be read."""
    try:
        turned = found.getexif().get(_ORIENTATION)
    except _BROKEN:
        return 1
    return turned if isinstance(turned, int) and 1 <= turned <= 8 else 1


def _small(found: Image.Image) -> Image.Image:
    """The decoded picture, not larger than needed, in a mode that keeps its transparency."""
    picture = found
    if picture.mode not in ("L", "RGB", "RGBA", "CMYK"):
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    picture.thumbnail((IMAGE_SIDE_MAX, IMAGE_SIDE_MAX), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return picture


def _in_srgb(picture: Image.Image, profile: Any) -> Image.Image:
    """The picture in the colours that every screen understands."""
    mode = "RGBA" if picture.mode == "RGBA" else "RGB"
    if profile:
        try:
            given, srgb = BytesIO(profile), ImageCms.createProfile("sRGB")
            there = ImageCms.profileToProfile(picture, given, srgb, outputMode=mode)
        except (ImageCms.PyCMSError, *_BROKEN):
            there = None  # a profile for other colours than the picture has
        if there is not None:
            return there
    return picture.convert(mode)


def _webp(picture: Image.Image, quality: int) -> bytes:
    file = BytesIO()
    # Whatever the encoder would copy is left out.
    picture.info.clear()
    picture.save(file, "WEBP", quality=quality, method=4, exif=b"", icc_profile=b"", xmp=b"")
    return file.getvalue()


def thumbnail(data: bytes, side: int) -> bytes:
    """A stored picture, cut to a square of so many pixels for lists. Raises ``PictureError``."""
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as found:
            return _webp(ImageOps.fit(found, (side, side), Image.Resampling.LANCZOS), 70)
    except _BROKEN:
        raise PictureError("broken") from None
