"""Girocodes (EPC069-12): what the code says, what it leaves, and that a camera reads it."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.girocode import AMOUNT_MAX, BYTES_MAX, NAME_MAX, girocode, latin
from domain.ids import derive
from domain.references import creditor_reference
from papers.codes import modules_of, png_of, svg_of
from tests.printed import read_png, read_svgs

IBAN = "DE89370400440532013000"
NUMBER = f"{derive('spring-oil')}-I1"
REFERENCE = creditor_reference(NUMBER) or ""


def code(**given: Any) -> str | None:
    said = {
        "payee": "Corner Shop Ltd",
        "iban": IBAN,
        "amount": 8_400,
        "currency": "EUR",
        "reference": REFERENCE,
        "bic": "COBADEFFXXX",
    }
    return girocode(**(said | given))


def test_a_code_says_the_transfer_line_by_line() -> None:
    assert code() == "\n".join(
        (
            "BCD",
            "002",
            "1",
            "SCT",
            "COBADEFFXXX",
            "Corner Shop Ltd",
            IBAN,
            "EUR84.00",
            "",
            REFERENCE.replace(" ", ""),
        )
    )


LINES: list[tuple[str, dict[str, Any], int, str | None]] = [
    ("no BIC", {"bic": None}, 4, ""),
    ("one cent", {"amount": 1}, 7, "EUR0.01"),
    ("the most", {"amount": AMOUNT_MAX}, 7, "EUR999999999.99"),
    ("a tenth", {"amount": 1_230}, 7, "EUR12.30"),
    ("a name that just fits", {"payee": "a" * 70}, 5, "a" * 70),
    ("a name that is too long", {"payee": "a" * 71}, 5, "a" * 70),
    ("a name cut at a blank", {"payee": "a" * 69 + " bc"}, 5, "a" * 69),
    ("a name that grows", {"payee": "ü" * 36}, 5, "ue" * 35),
    ("a number that is no creditor reference", {"reference": "or-84077-2011W46-I1"}, 10,
     "or-84077-2011W46-I1"),
    ("a creditor reference with wrong digits", {"reference": "RF00GB7K"}, 10, "RF00GB7K"),
    ("a text that just fits", {"reference": "x" * 140}, 10, "x" * 140),
]  # fmt: skip


@pytest.mark.parametrize(("what", "given", "line", "said"), LINES, ids=[each[0] for each in LINES])
def test_a_line_of_the_code(what: str, given: dict[str, Any], line: int, said: str) -> None:
    assert (code(**given) or "").split("\n")[line] == said


NONE: list[tuple[str, dict[str, Any]]] = [
    ("nothing is open", {"amount": 0}),
    ("more than a transfer can have", {"amount": AMOUNT_MAX + 1}),
    ("yen", {"currency": "JPY"}),
    ("dinars with three digits", {"currency": "KWD"}),
    ("pounds", {"currency": "GBP"}),
    ("no currency", {"currency": "XXX"}),
    ("a name in Japanese", {"payee": "角の店 株式会社"}),
    ("a name partly in Greek", {"payee": "Corner Αθήνα"}),
    ("a name of signs alone", {"payee": "★ ★"}),
    ("an account beyond SEPA", {"iban": "SA0380000000608010167519"}),
    ("a text that is too long", {"reference": "x" * 141}),
    ("a text in Japanese", {"reference": "請求書1"}),
]


@pytest.mark.parametrize(("what", "given"), NONE, ids=[each[0] for each in NONE])
def test_there_is_no_code_where_none_can_say_it(what: str, given: dict[str, Any]) -> None:
    assert code(**given) is None


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Müller & Söhne", "Mueller + Soehne"),
        ("ÄÖÜ Straße", "AeOeUe Strasse"),
        ("Łódź Żółć", "Lodz Zolc"),
        ("Ðór Þing Ærø", "Dor Thing AEro"),
        ("Café “Été”", "Cafe Ete"),
        ("L\u2019Oréal\u2014Paris", "L'Oreal-Paris"),
        ("A\nB\tC", "A B C"),
        ("Shop #1 <b>@€", "Shop 1 b"),
        ("\uff26ull \ufb01", "Full fi"),
        ("a̐e\u0301", "ae"),
        ("Иван", None),
        ("٣", None),
    ],
)
def test_names_are_written_in_letters_that_every_bank_takes(name: str, written: str | None) -> None:
    assert latin(name) == written


TEXT = st.text(st.characters(codec="utf-8"), max_size=200)


@pytest.mark.slow
@given(payee=TEXT, reference=TEXT, amount=st.integers(-1, AMOUNT_MAX * 2), has_bic=st.booleans())
def test_whatever_is_asked_a_code_keeps_the_standard(
    payee: str, reference: str, amount: int, has_bic: bool
) -> None:
    said = code(
        payee=payee,
        reference=reference,
        amount=amount,
        bic="COBADEFFXXX" if has_bic else None,
    )
    if said is None:
        return
    lines = said.split("\n")
    assert len(said.encode()) <= BYTES_MAX
    assert len(lines) in (10, 11)
    assert lines[:4] == ["BCD", "002", "1", "SCT"]
    assert 1 <= len(lines[5]) <= NAME_MAX
    assert re.fullmatch(r"EUR(0|[1-9][0-9]{0,8})\.[0-9]{2}", lines[7])
    assert sum(map(bool, lines[9:])) == 1, "structured or free, not both"
    assert all(re.fullmatch(r"[A-Za-z0-9/?:().,'+ -]*", each) for each in lines)


# --- as a camera sees it -------------------------------------------------------------------------

LONGEST = {"payee": "W" * 70, "reference": "x" * 140, "amount": AMOUNT_MAX}


@pytest.mark.slow
@pytest.mark.parametrize("given", [{}, LONGEST], ids=["usual", "longest"])
def test_what_is_drawn_says_the_code(given: dict[str, Any]) -> None:
    said = code(**given)
    assert said is not None
    assert read_svgs(svg_of(said)) == [said]
    assert read_png(png_of(said)) == [said]
    assert len(modules_of(said)) <= 4 * 13 + 17, "no larger than version 13"


def test_the_largest_code_is_of_version_13() -> None:
    assert len(modules_of("a" * BYTES_MAX)) == 4 * 13 + 17
