"""What letters repeat of words that nobody has checked: names, and products' names."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.unverified import LEFT_OUT, NAME_MAX, greetable, has_link, without_links

NAMES = [
    "Ada Lovelace", "山田 太郎", "O'Brien-Smith", "J. R. R. Tolkien", "Dr. Müller", "Renée", "李",
    "محمد علی", "Ann, Bob & Co", "Nguyễn Thị Minh Khai", "می‌خواهم", "x" * NAME_MAX, "R2D2 2026",
]  # fmt: skip
NO_NAMES = [
    "",
    "   ",
    "x" * (NAME_MAX + 1),
    "Your account is locked, see https://evil.example/x",
    "HTTPS://EVIL.EXAMPLE",
    "evil.example",
    "see evil.com now",
    "EVIL.COM",
    "www.evil",
    "bücher.example",
    "evil．com",  # noqa: RUF001 - a wide dot
    "evil。com",
    "xn--80ak6aa92e.xn--p1ai",
    "victim@evil.example",
    "victim＠evil",  # noqa: RUF001 - a wide sign
    "a @ b",
    "Ann/Bob",
    "Ann\\Bob",
    "Ann／Bob",  # noqa: RUF001 - a wide slash
    "mailto:x",
    "tel:0900",
    "call 0900 123 45 67",
    "+49 (900) 1234567",
    "javascript:alert",
    "http://127.0.0.1",
    "127.0.0.1:80",
    "Ann\nBcc",
    "Ann\r\nBcc: x",
    "Ann\x00",
    "Ann\x1b[31m",
    "Ann\x85",
    "Ann\u2028",
    "\u202eelpmaxe",
    "evil\u200b.example",
    "evil.\u2060example",
    "Ann\ud800",
    "Ann\ue000",
]
PRODUCTS = [
    ("Sencha, 1 kg", "Sencha, 1 kg"),
    ("1/2 inch pipe", "1/2 inch pipe"),
    ("Milk 1.5 l / 3.5 %", "Milk 1.5 l / 3.5 %"),
    ("USB 3.2 cable v1.2.3", "USB 3.2 cable v1.2.3"),
    ("Screw M8 x 20 (DIN 912)", "Screw M8 x 20 (DIN 912)"),
    ("オリーブオイル。500ml", "オリーブオイル。500ml"),
    ("GTIN 4006381333931", "GTIN 4006381333931"),
    ("Maersk A/S", "Maersk A/S"),
    ("Tea @ home", "Tea @ home"),
    ("No. 5", "No. 5"),
    ("Locked, see https://evil.example/x?y=1 at once", "Locked, see … at once"),
    ("see (https://evil.example)", "see …"),
    ("evil.example", "…"),
    ("Pay at EVIL.COM/now!", "Pay at …"),
    ("write to me@evil.example", "write to …"),
    ("www.evil.example", "…"),
    ("evil\u200b.example tea", "… tea"),
    ("a.de b.de", "… …"),
    ("tel:0900123 tea", "… tea"),
    ("http://[::1]/x tea", "… tea"),
    ("evil。com", "…"),
    ("Dr.Martens", "…"),
]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_people_are_greeted(name: str) -> None:
    assert greetable(f" {name} ") == name


@pytest.mark.slow
@pytest.mark.parametrize("name", NO_NAMES)
def test_what_is_no_name_is_left_out(name: str) -> None:
    assert greetable(name) is None


def test_who_has_no_name_has_none() -> None:
    assert greetable(None) is None


@pytest.mark.parametrize(("said", "repeated"), PRODUCTS)
def test_words_that_could_be_followed_are_left_out(said: str, repeated: str) -> None:
    assert without_links(said) == repeated
    assert has_link(said) == (said != repeated)


#: What common programs make links of (linkify-it, Gmail): a scheme, www, an address, a domain.
_LINK = re.compile(r"https?://\S|www\.\w|\w@\w+\.\w|\b[a-z0-9-]+\.(com|net|de|example)\b", re.I)
_PIECES = st.sampled_from(
    [
        "http",
        "https",
        "://",
        "www.",
        "evil",
        ".",
        "com",
        "de",
        "@",
        "/",
        " ",
        "\u200b",
        "1",
        "茶",
        "\n",
    ]
)


@given(st.lists(_PIECES, max_size=12).map("".join))
def test_nothing_that_is_repeated_can_be_followed(text: str) -> None:
    assert not _LINK.search(without_links(text))
    assert not _LINK.search(greetable(text) or "")


@given(st.text())
def test_what_was_left_out_once_stays_as_it_is(text: str) -> None:
    once = without_links(text)
    assert without_links(once) == once
    assert (once == text) or LEFT_OUT in once
    name = greetable(text)
    assert name is None or greetable(name) == name
