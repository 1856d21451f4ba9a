"""Invoices and credit notes as papers: every word and figure, in both languages."""

import asyncio
import io
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from domain.invoices import open_of
from papers.bills import Payer, bill_of
from papers.documents import As, document, policy
from papers.issuer import Issuer, IssuerError, read_issuer
from papers.paper import Paper, paper_of
from papers.transfer import due_on, transfer_for
from services.storefront.papers.printer import INSIDE_MAX, Printer
from services.storefront.problems import NotNow
from services.storefront.web.documents import accepted_kind
from tests.printed import read_pdf, read_svgs
from tests.rules.golden import PAPERS, papers
from tests.rules.paper_samples import CASES, ISSUER, credit, group, paper, payment, received
from texts.catalogue import languages

BOTH = pytest.mark.parametrize("language", languages())


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(papers()))
def test_a_paper_says_what_its_golden_file_says(name: str) -> None:
    assert papers()[name]() == (PAPERS / name).read_text(encoding="utf-8"), (
        "if the change is meant, run `make golden`, and read the diff"
    )


def test_golden_papers_are_those_of_the_cases() -> None:
    assert {path.name for path in PAPERS.iterdir()} == set(papers()), "run `make golden`"


def squeezed(text: str) -> str:
    """Without blanks: where a line is broken is the layout's to say."""
    return "".join(text.split())


def pdf_text(pdf: bytes) -> str:
    return "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize("name", CASES)
def test_a_pdf_says_all_that_is_on_the_paper_and_is_always_the_same(
    name: str, language: str
) -> None:
    of = paper(name, language)
    pdf = document(of, "pdf")
    assert pdf == document(paper(name, language), "pdf")
    text = squeezed(pdf_text(pdf))
    pairs = (*of.facts, of.total, *of.standing, *of.to_pay)
    said = [of.title, *of.issuer, *of.payer, *of.columns, *of.notes]
    said += [each for pair in (*pairs, *of.lines) for each in pair]
    assert [each for each in said if squeezed(each) not in text] == []
    reader = PdfReader(io.BytesIO(pdf))
    assert reader.metadata is not None
    assert reader.metadata.title == of.title


CODES: list[tuple[str, str, str | None]] = [
    ("invoice-open", "en", "EUR84.00"),
    ("invoice-in-part", "en", "EUR45.80"),
    ("invoice-paid", "en", None),
    ("invoice-offset", "en", None),
    ("credit-favor", "en", None),
    # In yen, to an account without an IBAN.
    ("invoice-open", "ja", None),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "language", "amount"), CODES)
def test_the_code_on_page_and_pdf_is_of_what_is_still_open(
    name: str, language: str, amount: str | None
) -> None:
    of = paper(name, language)
    assert (of.code.split("\n")[7] if of.code else None) == amount
    said = [of.code] if of.code else []
    assert read_svgs(document(of, "html").decode()) == said
    assert read_pdf(document(of, "pdf")) == said


@pytest.mark.parametrize(
    ("begun_at", "due"),
    [
        (datetime(2026, 3, 6, 9, 30, tzinfo=UTC), date(2026, 3, 20)),
        # Half an hour later it is Saturday in Berlin; the clock goes forward before the due date.
        (datetime(2026, 3, 20, 22, 59, tzinfo=UTC), date(2026, 4, 3)),
        (datetime(2026, 3, 20, 23, 0, tzinfo=UTC), date(2026, 4, 4)),
        # The clock has gone back by then.
        (datetime(2026, 10, 20, 22, 30, tzinfo=UTC), date(2026, 11, 4)),
    ],
)
def test_an_invoice_is_due_so_many_days_after_its_date_where_the_issuer_is(
    begun_at: datetime, due: date
) -> None:
    there = ISSUER.model_copy(update={"time_zone": "Europe/Berlin"})
    assert due_on(begun_at, there) == due
    found = transfer_for("N-1", begun_at, 100, "EUR", there)
    assert found is not None
    assert found.due_on == due


@BOTH
@pytest.mark.parametrize("name", CASES)
def test_lines_add_up_to_the_total(name: str, language: str) -> None:
    of, others = CASES[name]
    still_open = open_of(of, (of, *others))
    bill = bill_of(of, group(language).product, Payer(id="ann"), still_open)
    total = sum(each.amount for each in bill.lines)
    assert total == (-of.amount if bill.is_credit else of.amount)
    assert bill.received + bill.credited + bill.open == (0 if bill.is_credit else of.amount)


OPEN: list[tuple[str, tuple[Any, ...], int]] = [
    ("nothing came", (payment(),), 8_400),
    ("a part came", (payment(**received(3_000)),), 5_400),
    ("a credit note covers a part", (payment(), credit(420)), 7_980),
    ("both", (payment(**received(8_000)), credit(420)), 0),
    ("another invoice is open too", (payment(), payment(2)), 8_400),
    ("credit notes cover both in part", (payment(), payment(2), credit(10_000)), 6_800),
    ("another is covered by its own credit note",
     (payment(2), payment(status="cancelled"), credit(8_400)), 8_400),
    ("a void credit note covers nothing", (payment(), credit(420, status="cancelled")), 8_400),
    ("what goes back is not covered by it",
     (payment(**received(8_400)), credit(420), payment(3, kind="refund", amount=420)), 0),
    ("a card's payments are another matter",
     (payment(), payment(3, kind="refund", method="card", amount=420)), 8_400),
    ("paid", (payment(status="succeeded", **received(8_400)),), 0),
]  # fmt: skip


@pytest.mark.parametrize(("what", "payments", "expected"), OPEN, ids=[each[0] for each in OPEN])
def test_what_is_open_of_an_invoice(what: str, payments: tuple[Any, ...], expected: int) -> None:
    assert open_of(payments[0], payments) == expected


ODD = st.text(st.characters(codec="utf-8"), min_size=1, max_size=300)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(product=ODD, name=ODD, email=ODD)
def test_whatever_people_are_called_it_is_one_line_and_no_markup(
    product: str, name: str, email: str
) -> None:
    named = group().product.model_copy(update={"name": product})
    bill = bill_of(payment(), named, Payer(id="ann", name=name, email=email), 8_400)
    of = paper_of(bill, ISSUER, "en")
    usual = document(paper("invoice-open", "en"), "text").decode()
    lines = document(of, "text").decode().splitlines()
    # The name of nothing that can be seen leaves its line out.
    assert len(usual.splitlines()) - 2 <= len(lines) <= len(usual.splitlines())
    page = document(of, "html").decode()
    tags = re.findall(r"<[a-z/!][^>]*>", page)
    assert set(tags) <= set(re.findall(r"<[a-z/!][^>]*>", document(_plain(), "html").decode()))
    assert pdf_text(document(of, "pdf"))


@pytest.mark.slow
@pytest.mark.parametrize("letter", ["W", "漢", "W "])
def test_names_as_long_as_they_may_be_fit_on_the_pages_of_a_pdf(letter: str) -> None:
    said = letter * (1_000 // len(letter))
    product = group().product.model_copy(update={"name": said})
    payer = Payer(id="a" * 64, name=said, email=letter * (320 // len(letter)))
    address = (said[:200].strip(),) * 8
    issuer = ISSUER.model_copy(update={"address": address, "account": address, "note": address[0]})
    of = paper_of(bill_of(payment(), product, payer, 8_400), issuer, "ja")
    text = squeezed(pdf_text(document(of, "pdf")))
    wanted = squeezed(said)
    # The name of the product, of the payer, and the lines of the issuer, perhaps over two pages.
    assert text.count(letter.strip()) >= 2 * len(wanted) + 16 * len(squeezed(address[0]))


def _plain() -> Any:
    bill = bill_of(payment(), group().product, Payer(id="ann", name="A", email="e"), 8_400)
    return paper_of(bill, ISSUER, "en")


def test_a_page_has_its_style_in_it_and_allows_nothing_else() -> None:
    page = document(paper("invoice-open", "en"), "html").decode()
    assert page.count("<style>") == 1
    assert "<script" not in page
    assert "'unsafe" not in policy()


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "pdf"),
        ("*/*", "pdf"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "html"),
        ("text/plain", "text"),
        ("text/plain;q=0.5, application/pdf;q=0.9", "pdf"),
        ("application/json", "pdf"),
        ("text/html;q=nonsense", "pdf"),
    ],
)
def test_the_kind_of_document_that_is_accepted(accept: str, kind: As) -> None:
    assert accepted_kind(accept) == kind


# --- who issues them -----------------------------------------------------------------------------

GOOD = """
name = "Corner Shop Ltd"
address = ["1 Market Street"]
tax_id = "DE123"
iban = "DE89 3704 0044 0532 0130 00"
"""
WRONG = [
    ("no TOML", "name = ", "is no TOML"),
    ("nothing", "", "name"),
    ("an IBAN that is mistyped", GOOD.replace("0044", "0045"), "check digits"),
    ("no account", GOOD.replace("iban", "#"), "no account to pay to"),
    ("a field that is not known", GOOD + 'vat = "x"', "vat"),
    ("no such time zone", GOOD + 'time_zone = "Nowhere/Here"', "not a time zone"),
    ("a term below zero", GOOD + "payment_days = -1", "payment_days"),
]


def test_an_issuer_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "issuer.toml"
    file.write_text(GOOD)
    assert read_issuer(file) == Issuer(
        name="Corner Shop Ltd",
        address=("1 Market Street",),
        tax_id="DE123",
        iban="DE89370400440532013000",
    )


@pytest.mark.parametrize(("what", "text", "said"), WRONG, ids=[each[0] for each in WRONG])
def test_a_file_that_says_no_issuer_is_refused_with_what_to_mend(
    what: str, text: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "issuer.toml"
    file.write_text(text)
    with pytest.raises(IssuerError, match=said):
        read_issuer(file)
    with pytest.raises(IssuerError, match="No such file"):
        read_issuer(tmp_path / "none.toml")


# --- beside the event loop -----------------------------------------------------------------------


def heavy() -> Paper:
    """A paper with the longest names that there can be: its PDF takes its time."""
    return replace(
        paper(next(iter(CASES)), "ja"),
        payer=("長" * 1_000, "é" * 300),
        lines=tuple(("長い" * 500, "1", "2", "3") for _ in range(3)),
    )


@pytest.mark.slow
async def test_others_have_their_turns_while_a_pdf_is_made() -> None:
    printer, turns = Printer(), 0
    making = asyncio.ensure_future(printer.document(heavy(), "pdf"))
    while not making.done():
        turns += 1
        await asyncio.wait({making}, timeout=0)
    assert (await making).startswith(b"%PDF")
    assert turns > 20
    printer.close()


@pytest.mark.slow
async def test_only_so_many_pdfs_wait_and_who_left_gives_the_place_back() -> None:
    printer, of = Printer(), heavy()
    asked = [asyncio.ensure_future(printer.document(of, "pdf")) for _ in range(INSIDE_MAX)]
    await asyncio.wait(asked, timeout=0)
    with pytest.raises(NotNow) as refused:
        await printer.document(of, "pdf")
    assert refused.value.status == 503
    assert b"<html" in await printer.document(of, "html"), "what takes no time is made at once"
    first, *others = asked
    for each in others:
        each.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    made = await first
    assert await printer.document(of, "pdf") == made
    printer.close()
