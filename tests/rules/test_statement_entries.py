"""Entries of statements as banks write them: where numbers stand, what is odd, what goes back."""

from typing import Any

import pytest

from domain.ids import derive
from domain.references import creditor_reference, mentions_in
from terminal.statements import Credit, read_statement
from tests.bank import Transfer, statement

G = derive("spring-oil")
I1, I2, I12 = f"{G}-I1", f"{G}-I2", f"{G}-I12"
RF1, RF2, RF12 = (creditor_reference(each) or "" for each in (I1, I2, I12))


def read(*transfers: Any) -> list[Credit]:
    return list(read_statement(statement(*transfers)).credits)


# --- where numbers stand -------------------------------------------------------------------------

DOCUMENT = (
    "<Strd><RfrdDocInf><Tp><CdOrPrtry><Cd>CINV</Cd></CdOrPrtry></Tp><Nb>{}</Nb></RfrdDocInf></Strd>"
)
PLACES = [
    ("two structured references", Transfer("1", structured=(RF1, RF2)), (I1, I2)),
    ("the same one twice", Transfer("1", structured=(RF1, RF1)), (I1,)),
    ("a document's number", Transfer("1", remitted=DOCUMENT.format(I1)), (I1,)),
    ("two documents", Transfer("1", remitted=DOCUMENT.format(I1) + DOCUMENT.format(I2)), (I1, I2)),
    ("further remittance information",
     Transfer("1", remitted=f"<Strd><AddtlRmtInf>{I1}</AddtlRmtInf></Strd>"), (I1,)),
    ("the transaction's information", Transfer("1", more=f"<AddtlTxInf>{I1}</AddtlTxInf>"), (I1,)),
    ("the entry's information", Transfer("1", entry=f"<AddtlNtryInf>{I1}</AddtlNtryInf>"), (I1,)),
    ("the end-to-end id", Transfer("1", end_to_end=I1), (I1,)),
    ("the instruction's id", Transfer("1", refs=f"<InstrId>{I1}</InstrId>"), (I1,)),
    ("the payment information's id", Transfer("1", refs=f"<PmtInfId>{I1}</PmtInfId>"), (I1,)),
    ("everywhere the same",
     Transfer("1", I1, structured=RF1, end_to_end=I1, entry=f"<AddtlNtryInf>{I1}</AddtlNtryInf>"),
     (I1,)),
    ("text first, then ids", Transfer("1", I2, end_to_end=I1), (I2, I1)),
    ("nowhere", Transfer("1", "thanks", end_to_end="X1"), ()),
]  # fmt: skip


@pytest.mark.parametrize(("what", "transfer", "numbers"), PLACES, ids=[each[0] for each in PLACES])
def test_a_number_is_found_wherever_a_bank_puts_it(
    what: str, transfer: Transfer, numbers: tuple[str, ...]
) -> None:
    (credit,) = read(transfer)
    assert credit.numbers == numbers


def test_an_entry_without_transactions_says_its_number_itself() -> None:
    data = statement(Transfer("1", entry=f"<AddtlNtryInf>{I1}</AddtlNtryInf>"))
    begin, end = data.index(b"<NtryDtls>"), data.index(b"</NtryDtls>") + len(b"</NtryDtls>")
    (credit,) = read_statement(data[:begin] + data[end:]).credits
    assert (credit.numbers, credit.text) == ((I1,), I1)


def test_what_is_said_of_a_batch_is_said_of_none_of_its_transfers() -> None:
    batch = (Transfer("1.00", "x", entry=f"<AddtlNtryInf>{I1}</AddtlNtryInf>"), Transfer("2.00"))
    assert [each.numbers for each in read(batch)] == [(), ()]


CONTRADICTORY = [
    ("a reference and another text", Transfer("1", I1, structured=RF2), True),
    ("a text and another id", Transfer("1", I1, end_to_end=I2), True),
    ("a text that names both", Transfer("1", f"{I1} {I2}", structured=RF1), False),
    ("two references", Transfer("1", structured=(RF1, RF2)), False),
    ("the same twice", Transfer("1", I1, structured=RF1), False),
    ("one cut in the text and whole in the reference",
     Transfer("1", f"Invoice {I1}", structured=RF12), False),
    ("none", Transfer("1"), False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "transfer", "expected"), CONTRADICTORY, ids=[each[0] for each in CONTRADICTORY]
)
def test_numbers_that_contradict_each_other_are_known_as_that(
    what: str, transfer: Transfer, expected: bool
) -> None:
    (credit,) = read(transfer)
    assert credit.is_contradictory is expected


# --- numbers that are cut ------------------------------------------------------------------------


def at(column: int, number: str = I1) -> str:
    """A line whose column is the last of a number."""
    return ("for " + "x" * 40)[: column - len(number) - 1] + " " + number


CUT = [
    ("column 27 and a blank", [at(27) + " 2 thanks"], {f"{I1}0", I12}),
    ("column 27 and the line's end", [at(27), "2 thanks"], {f"{I1}0", I12}),
    ("column 27 and no more", [at(27)], {f"{I1}0"}),
    ("column 35 and a blank", [at(35) + " thanks"], {f"{I1}0"}),
    ("column 35 and no more", [at(35)], {f"{I1}0"}),
    ("the second line of 27 after a blank", ["x" * 27 + " " + at(27)], {f"{I1}0"}),
    ("the second line of 27", ["x" * 27 + at(27)], {f"{I1}0"}),
    ("a line's end before digits", [at(30), "2"], {I12}),
    ("a line's end before words", [at(30), "thanks"], set()),
    ("a blank elsewhere before digits", [at(30) + " 2 thanks"], set()),
    ("column 26", [at(26)], set()),
    ("column 28", [at(28)], set()),
    ("column 27 before a comma", [at(27) + ", thanks"], set()),
]  # fmt: skip


@pytest.mark.parametrize(("what", "lines", "longer"), CUT, ids=[each[0] for each in CUT])
def test_a_number_that_ends_where_banks_cut_lines_may_be_longer(
    what: str, lines: list[str], longer: set[str]
) -> None:
    (mention,) = mentions_in(lines)
    assert (mention.number, set(mention.longer)) == (I1, longer)


CHECKED = [
    ("whole", [RF1], I1, False),
    ("over two lines", [RF12[:-1], RF12[-1:]], I12, False),
    ("before a digit", [f"{RF1} 2"], I1, False),
    ("in small letters", [RF1.lower()], I1, False),
    ("cut", [RF12[:-1]], I1, True),
    ("mistyped", [RF1.replace("RF", "RF9", 1)[:4] + RF1[4:]], I1, True),
]


@pytest.mark.parametrize(
    ("what", "lines", "number", "is_doubtful"), CHECKED, ids=[each[0] for each in CHECKED]
)
def test_check_digits_tell_whether_a_reference_is_whole(
    what: str, lines: list[str], number: str, is_doubtful: bool
) -> None:
    (mention,) = mentions_in(lines)
    assert (mention.number, mention.is_doubtful, mention.longer) == (number, is_doubtful, ())


# --- amounts and days ----------------------------------------------------------------------------

READ = [
    ("a plus", "+20.00", "EUR", 2_000),
    ("no decimals", "20", "EUR", 2_000),
    ("five decimals", "20.00000", "EUR", 2_000),
    ("no whole", ".50", "EUR", 50),
    ("a point at the end", "20.", "EUR", 2_000),
    ("noughts first", "000020.00", "EUR", 2_000),
    ("blanks around", " 20.00\n", "EUR", 2_000),
    ("whole yen", "20", "JPY", 20),
    ("three decimals", "2.345", "KWD", 2_345),
]


@pytest.mark.parametrize(
    ("what", "written", "currency", "amount"), READ, ids=[each[0] for each in READ]
)
def test_amounts_are_read_as_xml_schema_writes_them(
    what: str, written: str, currency: str, amount: int
) -> None:
    (credit,) = read(Transfer(written, I1, currency=currency))
    assert (credit.amount, credit.currency, credit.odd) == (amount, currency, "")


ODD = [
    ("words", Transfer("twenty", I1), "odd-amount", "an amount that can't be read"),
    ("below zero", Transfer("-20.00", I1), "odd-amount", "has an amount"),
    ("a comma", Transfer("20,00", I1), "odd-amount", "has an amount"),
    ("thousands apart", Transfer("1,020.00", I1), "odd-amount", "has an amount"),
    ("nothing", Transfer("", I1), "odd-amount", "has an amount"),
    ("an exponent", Transfer("2e999999", I1), "odd-amount", "has an amount"),
    ("without end", Transfer("9" * 5_000, I1), "odd-amount", "has an amount"),
    ("infinite", Transfer("Infinity", I1), "odd-amount", "has an amount"),
    ("other digits", Transfer("٢٠", I1), "odd-amount", "has an amount"),
    ("half a cent", Transfer("20.005", I1), "odd-amount", "not a whole number"),
    ("half a yen", Transfer("20.5", I1, currency="JPY"), "odd-amount", "not a whole number"),
    ("beyond all limits", Transfer("1" + "0" * 16, I1), "odd-amount", "too large"),
    ("no currency", Transfer("20.00", I1, currency=""), "odd-amount", "has a currency"),
    ("a currency in small letters", Transfer("20.00", I1, currency="eur"), "odd-amount",
     "has a currency"),
    ("nothing at all", Transfer("0.00", I1), "odd-amount", "amount of zero"),
    ("a day that is none", Transfer("20.00", I1, day="2026-06-31"), "odd-date", "has a date"),
    ("a day in words", Transfer("20.00", I1, day="June 15"), "odd-date", "has a date"),
    ("a day before all time", Transfer("20.00", I1, day="0001-01-01"), "odd-date", "has a date"),
    ("a week", Transfer("20.00", I1, day="2026-W25-1"), "odd-date", "has a date"),
    ("an odd value date alone", Transfer("20.00", I1, day="", value_day="soon"), "odd-date",
     "has a date"),
    ("a text without end", Transfer("20.00", I1 + "x" * 50_000), "odd-entry", "too long"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("what", "transfer", "reason", "said"), ODD, ids=[each[0] for each in ODD])
def test_an_unclear_entry_becomes_a_task_and_the_others_count(
    what: str, transfer: Transfer, reason: str, said: str
) -> None:
    before, odd, after = read(Transfer("1.00", I1, "A1"), transfer, Transfer("2.00", I2, "A2"))
    assert (odd.reason, said in odd.odd) == (reason, True)
    assert (before.amount, before.odd, after.amount, after.odd) == (100, "", 200, "")


DAYS = [
    ("booked", Transfer("1", day="2026-06-15", value_day="2026-06-17"), "2026-06-15"),
    ("of value alone", Transfer("1", day="", value_day="2026-06-17"), "2026-06-17"),
    ("with a time", Transfer("1", day="2026-06-15T23:59:59.123+02:00"), "2026-06-15"),
    ("with a zone", Transfer("1", day="2026-06-15+02:00"), "2026-06-15"),
    ("none", Transfer("1", day=""), "None"),
]


@pytest.mark.parametrize(("what", "transfer", "day"), DAYS, ids=[each[0] for each in DAYS])
def test_the_day_is_that_of_booking_or_else_of_value(
    what: str, transfer: Transfer, day: str
) -> None:
    (credit,) = read(transfer)
    assert (str(credit.booked_on), credit.odd) == (day, "")


# --- what goes back ------------------------------------------------------------------------------


def code(family: str, sub_family: str) -> str:
    return (
        f"<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>{family}</Cd><SubFmlyCd>{sub_family}</SubFmlyCd>"
        "</Fmly></Domn></BkTxCd>"
    )


RETURN = "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>"
OWN = "<BkTxCd><Prtry><Cd>{}</Cd></Prtry></BkTxCd>"
BACK = [
    ("a transfer that came back", Transfer("20.00", I1, more=RETURN), "returned", "AC04"),
    ("one that its code tells", Transfer("20.00", I1, entry=code("RCDT", "RRTN")), "returned",
     "came back"),
    ("one that its transaction's code tells", Transfer("20.00", I1, more=code("ICDT", "RRTN")),
     "returned", "came back"),
    ("one that a German code tells", Transfer("20.00", I1, more=OWN.format("NRTI+159+9200")),
     "returned", "came back"),
    ("a reversal", Transfer("20.00", I1, reversal=True), "reversal", "which payment it reverses"),
    ("a reversal of a payment", Transfer("20.00", I1, reversal=True, direction="DBIT"),
     "reversal", "which payment it reverses"),
    ("a direct debit that came back", Transfer("20.00", I1, direction="DBIT", more=RETURN),
     "returned", "took back (AC04)"),
    ("one that its code tells", Transfer("20.00", I1, direction="DBIT",
     entry=code("IDDT", "UPDD")), "returned", "took back"),
    ("a German one", Transfer("20.00", I1, direction="DBIT", entry=OWN.format("NRTI+109+901")),
     "returned", "took back"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "transfer", "reason", "said"), BACK, ids=[each[0] for each in BACK]
)
def test_returned_money_is_not_a_payment(
    what: str, transfer: Transfer, reason: str, said: str
) -> None:
    (credit,) = read(transfer)
    assert (credit.reason, credit.amount, said in credit.odd) == (reason, 2_000, True)


def test_one_transfer_of_a_batch_that_came_back_leaves_the_others() -> None:
    one, other = read((Transfer("20.00", I1, more=RETURN), Transfer("5.00", I2)))
    assert (one.reason, one.amount) == ("returned", 2_000)
    assert (other.reason, other.amount, other.numbers) == (None, 500, (I2,))


USUAL = [
    ("a transfer", Transfer("20.00", I1, entry=code("RCDT", "ESCT"))),
    ("a German one", Transfer("20.00", I1, entry=OWN.format("NTRF+166+9200"))),
    ("not reversed", Transfer("20.00", I1, entry="<RvslInd>false</RvslInd>")),
]


@pytest.mark.parametrize(("what", "transfer"), USUAL, ids=[each[0] for each in USUAL])
def test_usual_codes_are_payments(what: str, transfer: Transfer) -> None:
    (credit,) = read(transfer)
    assert (credit.reason, credit.odd) == (None, "")


def test_a_payer_s_name_is_found_by_either_version_or_its_last_resort() -> None:
    data = statement(Transfer("1", payer="Ann")).replace(b"Dbtr>", b"UltmtDbtr>")
    assert read_statement(data).credits[0].payer == "Ann"
