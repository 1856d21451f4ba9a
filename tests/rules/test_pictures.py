"""Pictures are encoded anew: every format, nothing but pixels, and a clear word on what is none."""

from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from schemas.images import IMAGE_BYTES_MAX, IMAGE_SIDE_MAX
from services.storefront.wares.pictures import (
    SCANS_MAX,
    SEGMENTS_MAX,
    PictureError,
    Trouble,
    encoded,
    thumbnail,
)


def file_of(picture: Image.Image, form: str, **options: Any) -> bytes:
    """A picture's file."""
    file = BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    """A stored picture, decoded."""
    picture = Image.open(BytesIO(data))
    picture.load()
    return picture


WIDE = Image.linear_gradient("L").resize((400, 200))


@pytest.mark.slow
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF"])
def test_every_format_becomes_the_same_kind_of_picture(form: str) -> None:
    found = encoded(file_of(WIDE.convert("RGB"), form))
    assert (found.width, found.height, found.media_type) == (400, 200, "image/webp")
    assert encoded(file_of(WIDE.convert("RGB"), form)) == found
    assert (opened(found.data).format, opened(found.data).size) == ("WEBP", (400, 200))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_mode_of_colours_can_be_read(mode: str) -> None:
    form = "JPEG" if mode == "CMYK" else "PNG"
    picture = Image.new(mode, (20, 10)) if mode == "I;16" else WIDE.convert(mode)
    assert encoded(file_of(picture, form)).width == picture.width


def test_a_transparent_ground_stays_transparent() -> None:
    picture = opened(encoded(file_of(Image.new("RGBA", (20, 10), (9, 9, 9, 0)), "PNG")).data)
    assert picture.convert("RGBA").getpixel((5, 5))[3] == 0  # type: ignore[index]


def test_the_first_frame_of_a_moving_picture_counts() -> None:
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("#ff0000", "#0000ff")]
    file = file_of(frames[0], "GIF", save_all=True, append_images=frames[1:])
    red, _, blue = opened(encoded(file).data).convert("RGB").getpixel((5, 5))  # type: ignore[misc]
    assert (red > 200, blue < 50) == (True, True)


@pytest.mark.parametrize(("turned", "size"), [(1, (400, 200)), (3, (400, 200)), (6, (200, 400))])
def test_a_picture_stands_as_the_camera_was_held(turned: int, size: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[0x0112] = turned
    found = encoded(file_of(WIDE.convert("RGB"), "JPEG", exif=exif))
    assert (found.width, found.height) == size


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_where_a_picture_was_taken_is_not_stored(form: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "MAKER-OF-THE-CAMERA"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 29: "2026:11:30"})
    options = {"exif": exif, "xmp": b"<x>SECRET-OF-XMP</x>"}
    file = file_of(WIDE.convert("RGB"), form, **options)
    assert b"MAKER-OF-THE-CAMERA" in file
    found = encoded(file).data
    assert not opened(found).getexif()
    for word in (b"MAKER", b"SECRET", b"2026", b"EXIF", b"XMP", b"ICCP"):
        assert word not in found


def test_colours_of_another_profile_become_those_of_screens() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = Image.new("RGB", (20, 10), "#1d4ed8")
    plain = encoded(file_of(picture, "PNG"))
    # A profile that says nothing new, and one that does not fit the picture.
    for profile in (srgb, lab, b"no profile"):
        assert encoded(file_of(picture, "PNG", icc_profile=profile)).width == plain.width


@pytest.mark.slow
def test_a_large_picture_becomes_small() -> None:
    noise = Image.effect_noise((3_000, 2_000), 120)
    found = encoded(file_of(noise, "JPEG", quality=95))
    assert max(found.width, found.height) <= IMAGE_SIDE_MAX
    assert len(found.data) <= IMAGE_BYTES_MAX
    assert found.width / found.height == pytest.approx(1.5, abs=0.01)


@pytest.mark.parametrize("size", [(1, 1), (5_000, 1), (1, 5_000)])
def test_the_smallest_and_the_thinnest_are_pictures_too(size: tuple[int, int]) -> None:
    found = encoded(file_of(Image.new("L", size), "PNG"))
    assert 1 <= min(found.width, found.height) <= max(found.width, found.height) <= IMAGE_SIDE_MAX


PNG = file_of(WIDE, "PNG")
PROGRESSIVE = file_of(WIDE, "JPEG", progressive=True)


def with_scans(more: int) -> bytes:
    """A JPEG whose last scan comes so many times more; each refines all of the picture."""
    last = PROGRESSIVE[PROGRESSIVE.rindex(b"\xff\xda") : -2]
    return PROGRESSIVE[:-2] + last * more + PROGRESSIVE[-2:]


def with_segments(more: int) -> bytes:
    """A JPEG with so many empty segments of an application more."""
    return PROGRESSIVE[:2] + b"\xff\xe5\x00\x02" * more + PROGRESSIVE[2:]


@pytest.mark.parametrize(
    ("file", "trouble"),
    [
        (b"", "not-an-image"),
        (b"GIF", "not-an-image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not-an-image"),
        (b"%PDF-1.7", "not-an-image"),
        (file_of(WIDE, "TIFF"), "not-an-image"),
        (file_of(WIDE, "BMP"), "not-an-image"),
        (PNG[:200], "broken"),
        (file_of(WIDE, "JPEG")[:400], "broken"),
        (file_of(WIDE, "GIF")[:900], "broken"),
        # Small files that would need gigabytes.
        (file_of(Image.new("1", (20_000, 20_000)), "PNG"), "too-many-pixels"),
        (file_of(Image.new("1", (5_001, 5_000)), "PNG"), "too-many-pixels"),
        # Small files that would need hours.
        (with_scans(SCANS_MAX), "broken"),
        (with_scans(60_000), "broken"),
        (with_segments(SEGMENTS_MAX), "broken"),
    ],
)
def test_what_is_no_picture_is_refused(file: bytes, trouble: Trouble) -> None:
    with pytest.raises(PictureError) as found:
        encoded(file)
    assert found.value.trouble == trouble


@pytest.mark.parametrize(
    "file",
    [
        with_scans(20),
        with_segments(1_000),
        # Phones put a film behind the picture.
        PROGRESSIVE + b"\xff\xda" * 1_000,
        # And words in front, which may look like scans.
        PROGRESSIVE[:2] + b"\xff\xe5\x07\xd2" + b"\xff\xda" * 1_000 + PROGRESSIVE[2:],
    ],
)
def test_an_unusual_jpeg_is_a_picture_too(file: bytes) -> None:
    assert encoded(file).width == 400


@pytest.mark.slow
def test_a_jpeg_may_have_more_pixels_as_it_is_decoded_smaller() -> None:
    found = encoded(file_of(Image.new("L", (8_000, 6_000)), "JPEG"))
    assert (found.width, found.height) == (1_600, 1_200)


FILES = [file_of(WIDE, each) for each in ("JPEG", "PNG", "WEBP", "GIF")]


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FILES), st.integers(0, 10**6), st.binary(min_size=1, max_size=8))
def test_a_damaged_file_is_a_picture_or_refused(file: bytes, place: int, damage: bytes) -> None:
    at = place % len(file)
    try:
        found = encoded(file[:at] + damage + file[at + len(damage) :])
    except PictureError:
        return
    assert len(found.data) <= IMAGE_BYTES_MAX


def test_a_thumbnail_is_a_square() -> None:
    assert opened(thumbnail(encoded(PNG).data, 144)).size == (144, 144)
