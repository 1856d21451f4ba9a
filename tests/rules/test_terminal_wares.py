"""Products, shops and sellers from options: pictures are stored, and options change fields."""

from pathlib import Path
from typing import Any

import pytest

from terminal.api import Answer, Refused
from terminal.console import Mistake
from terminal.images import image_of, product_of, with_images
from terminal.shops import business_of, changed

ID = "a" * 64
STORED = "b" * 64


class Fake:
    """An API that has a description, or none, and keeps what it is sent."""

    def __init__(self, known: dict[str, Any] | None = None, late: dict[str, Any] | None = None):
        self.known = known
        self.late = late
        self.files: list[bytes] = []
        self.body: Any = None

    def get(self, _: str) -> Any:
        if self.known is None:
            raise Refused(404, {}, "unknown")
        return self.known

    def upload(self, _: str, file: bytes) -> Answer:
        self.files.append(file)
        return Answer(201, {"image_id": STORED}, "")

    def put(self, _: str, body: Any, __: Any) -> Answer:
        self.body = body
        return Answer(202 if self.late else 200, self.known or body, "/there")

    def until(self, _: str, holds: Any, __: str) -> Any:
        assert holds(self.late)
        assert not holds(self.known)
        return self.late


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "tea.png"
    path.write_bytes(b"a picture")
    return path


def test_a_picture_is_an_id_or_a_file_that_is_stored(picture: Path) -> None:
    api: Any = Fake()
    assert image_of(api, ID) == ID
    assert api.files == []
    assert image_of(api, str(picture)) == STORED
    assert api.files == [b"a picture"]
    with pytest.raises(Mistake, match=r"none\.png can't be read"):
        image_of(api, str(picture.with_name("none.png")))


def test_a_body_names_stored_pictures_in_their_order(picture: Path) -> None:
    api: Any = Fake()
    body = {"product": {"name": "Tea", "images": [str(picture), ID]}, "unit_price": 9}
    assert with_images(api, body)["product"] == {"name": "Tea", "images": [STORED, ID]}
    for plain in ({"unit_price": 9}, {"product": {"name": "Tea"}}, {"product": None}):
        assert with_images(api, plain) == plain


def test_a_description_is_a_text_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "tea.md"
    file.write_bytes("﻿お茶".encode())
    rest: Any = (None, None, None, None)
    assert product_of("Tea", None, None, file, *rest)["description"] == "お茶"
    assert product_of("Tea", None, "**x**", None, *rest)["description"] == "**x**"
    with pytest.raises(Mistake, match="not both"):
        product_of("Tea", None, "x", file, *rest)
    with pytest.raises(Mistake, match="can't be read"):
        product_of("Tea", None, None, tmp_path / "none.md", *rest)


def options(**given: str) -> dict[str, str | None]:
    names = ("site", "order_link", "logo", "address", "phone", "terms", "privacy", "imprint")
    return business_of(*(given.get(name) for name in (*names, "delivery")))


KNOWN = dict.fromkeys(options()) | {"name": "Tea House", "email": None, "phone": "+49 30 1"}


@pytest.mark.parametrize(
    ("known", "given", "body"),
    [
        (None, {"phone": "1"}, {"phone": "1"}),
        (KNOWN, {}, {"name": "Tea House", "phone": "+49 30 1"}),
        (KNOWN, {"site": "https://t.example"}, {"url": "https://t.example"}),
        # An empty text removes.
        (KNOWN, {"phone": ""}, {"name": "Tea House"}),
        (KNOWN | {"logo": ID}, {}, {"logo": ID}),
    ],
)
def test_options_change_what_they_name(
    known: dict[str, Any] | None, given: dict[str, str], body: dict[str, str]
) -> None:
    api: Any = Fake(known)
    changed(api, "/shops/tea", ("name", "email"), options(**given))
    assert api.body.items() >= body.items()
    assert None not in api.body.values()
    if given.get("phone") == "":
        assert "phone" not in api.body


def test_a_seller_s_change_is_awaited() -> None:
    late = KNOWN | {"phone": "2"}
    api: Any = Fake(KNOWN, late)
    assert changed(api, "/sellers/s-1", (), options(phone="2")) == late
