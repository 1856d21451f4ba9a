"""Bank statements: what came, for which invoice; the same money counts once, never by halves."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.ids import derive
from domain.references import creditor_reference, is_creditor_reference, numbers_in
from terminal.statement_files import BYTES_MAX, StatementError
from terminal.statements import read_statement
from tests.bank import Transfer, Version, statement

G, H = derive("spring-oil"), derive("autumn-oil")
I1, I2, C1 = f"{G}-I1", f"{G}-I2", f"{G}-C1"
VERSIONS: tuple[Version, ...] = ("02", "08", "10", "11", "12", "13")


# --- numbers -------------------------------------------------------------------------------------

WRITTEN = [
    ("as it is", I1, [I1]),
    ("in a sentence", f"Payment of invoice {I1}, thank you", [I1]),
    ("in small letters without dashes", I1.replace("-", "").lower(), [I1]),
    ("with blanks for dashes", I1.replace("-", " "), [I1]),
    ("before another number", f"{I1} 2026-06-15", [I1]),
    ("two of them", f"{I1} + {I2}", [I1, I2]),
    ("twice the same", f"{I1} {I1}", [I1]),
    ("a credit note", C1, [C1]),
    ("the reference in fours", creditor_reference(f"{G}-I100") or "", [f"{G}-I100"]),
    (
        "the reference in a sentence",
        f"ref {creditor_reference(f'{G}-I100')} of June 9",
        [f"{G}-I100"],
    ),
    ("the reference and a number", f"{creditor_reference(I2)}, {I1}", [I2, I1]),
    ("with O for 0 and l for 1", I1[:-3].replace("1", "l").replace("0", "O") + I1[-3:], [I1]),
    ("mistyped", I1.replace(G[3], "Z" if G[3] != "Z" else "Y"), []),
    ("the group alone", G, []),
    ("number nought", f"{G}-I0", []),
    ("nothing", "", []),
]


@pytest.mark.parametrize(("what", "text", "found"), WRITTEN, ids=[each[0] for each in WRITTEN])
def test_numbers_are_found_however_a_payer_writes_them(
    what: str, text: str, found: list[str]
) -> None:
    assert numbers_in(text) == found


@given(st.text(max_size=40), st.integers(1, 10**7 - 1))
def test_a_creditor_reference_is_read_back_and_no_digit_of_it_can_be_mistyped(
    request_id: str, n: int
) -> None:
    number = f"{derive(request_id)}-I{n}"
    reference = creditor_reference(number)
    if reference is None:
        assert len(number.replace("-", "")) > 21
        return
    assert is_creditor_reference(reference)
    assert numbers_in(reference) == [number]
    for at, character in enumerate(reference):
        if character.isdigit():
            other = "1" if character != "1" else "2"
            assert not is_creditor_reference(reference[:at] + other + reference[at + 1 :])


def test_the_example_of_iso_11649() -> None:
    assert is_creditor_reference("RF18 5390 0754 7034")
    assert not is_creditor_reference("RF18 5390 0754 7035")
    assert creditor_reference("a-shop-s-own-group-I1") is None


# --- entries -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_a_statement_s_credits_are_read_in_both_versions(version: Version) -> None:
    read = read_statement(
        statement(
            Transfer("20.00", f"Invoice {I1}", "A1", payer="Ann"),
            Transfer("5.00", "rent", "A2", direction="DBIT"),
            Transfer("7.00", I1, "A3", status="PDNG"),
            (Transfer("3.00", I1, "B1"), Transfer("4.50", I2, "B2")),
            version=version,
        )
    )
    assert [(each.amount, each.currency, each.numbers) for each in read.credits] == [
        (2_000, "EUR", (I1,)),
        (300, "EUR", (I1,)),
        (450, "EUR", (I2,)),
    ]
    assert (read.debits, read.not_booked) == (1, 1)
    first = read.credits[0]
    assert (first.payer, str(first.booked_on), first.odd) == ("Ann", "2026-06-15", "")
    assert first.reference.startswith("A1 ")


def test_a_number_cut_at_the_end_of_a_line_is_found() -> None:
    cut = statement(Transfer("20.00", f"{I1[:9]}</Ustrd><Ustrd>{I1[9:]}", "A1"))
    whole = cut.replace(b"&lt;/Ustrd&gt;&lt;Ustrd&gt;", b"</Ustrd><Ustrd>")
    assert read_statement(whole).credits[0].numbers == (I1,)


SAME = [
    (
        "the same entry in another statement",
        Transfer("9.00", I1, "A1"),
        Transfer("9.00", I1, "A1"),
        True,
    ),
    (
        "two entries of the bank's own names",
        Transfer("9.00", I1, "A1"),
        Transfer("9.00", I1, "A2"),
        False,
    ),
    (
        "without a name, on two days",
        Transfer("9.00", I1),
        Transfer("9.00", I1, day="2026-06-16"),
        False,
    ),
    ("without a name, told again", Transfer("9.00", I1), Transfer("9.00", I1), True),
    (
        "without a name, of another payer",
        Transfer("9.00", I1),
        Transfer("9.00", I1, payer="Bob"),
        False,
    ),
]


@pytest.mark.parametrize(("what", "one", "other", "same"), SAME, ids=[each[0] for each in SAME])
def test_money_is_known_again_in_another_statement(
    what: str, one: Transfer, other: Transfer, same: bool
) -> None:
    (first,) = read_statement(statement(one)).credits
    (second,) = read_statement(statement(other, version="02")).credits
    assert (first.reference == second.reference) is same


def test_two_alike_on_one_day_are_two_in_every_statement_that_has_them() -> None:
    twice = read_statement(statement(Transfer("9.00", I1), Transfer("9.00", I1)))
    first, second = (each.reference for each in twice.credits)
    assert first != second
    again = read_statement(statement(*[Transfer("9.00", I1)] * 3))
    assert [each.reference for each in again.credits][:2] == [first, second]


# --- what is refused -----------------------------------------------------------------------------

GOOD = statement(Transfer("20.00", I1, "A1"))
REFUSED = [
    ("nothing", b"", "not valid XML"),
    ("no XML", b"amount;20.00", "not valid XML"),
    ("cut off", GOOD[:-9], "not valid XML"),
    ("another message", GOOD.replace(b"camt.053.001.08", b"camt.052.001.08"), "give camt.053"),
    ("no statement in it", re.sub(rb"<Stmt>.*</Stmt>", b"", GOOD), "holds no statement"),
    ("a document type",
     GOOD.replace(b"<Document", b'<!DOCTYPE d [<!ENTITY a "b">]><Document'), "document type"),
    ("a file from elsewhere",
     GOOD.replace(b"<Document", b'<!DOCTYPE d SYSTEM "file:///etc/passwd"><Document'),
     "document type"),
    ("too deep", GOOD.replace(b"<Ntry>", b"<a>" * 40 + b"<Ntry>"), "nested too deeply"),
    ("no document at all", b"<a>" * 9 + b"</a>" * 9, "give camt.053"),
    ("a version to come", GOOD.replace(b"camt.053.001.08", b"camt.053.001.14"), "give camt.053"),
    ("too large", b" " * (BYTES_MAX + 1), "bytes"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "data", "said"), REFUSED, ids=[each[0] for each in REFUSED])
def test_a_file_that_is_not_whole_and_right_counts_nothing(
    what: str, data: bytes, said: str
) -> None:
    with pytest.raises(StatementError, match=said):
        read_statement(data)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
@example(b'<?xml version="1.0" encoding="utf-7"?><Document/>')
@example(b'<?xml version="1.0" encoding="nowhere"?><Document/>')
def test_any_bytes_are_a_statement_or_a_clear_error(data: bytes) -> None:
    with pytest.raises(StatementError, match=r"\w+ \w+"):
        read_statement(data)


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, len(GOOD) - 1), size=st.integers(0, 30), put=st.binary(max_size=30))
def test_a_statement_that_was_changed_anywhere_is_whole_or_refused(
    at: int, size: int, put: bytes
) -> None:
    """Never a part of it: one entry is read as one, or as none of those that came."""
    try:
        read = read_statement(GOOD[:at] + put + GOOD[at + size :])
    except StatementError:
        return
    assert len(read.credits) + read.debits + read.not_booked <= 1
    assert all(each.odd or (each.amount or 0) > 0 for each in read.credits)
