"""Letters about invoices: account, due date and code in every part, and the paper enclosed."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dkim  # type: ignore[import-untyped, unused-ignore]
import pytest
from pydantic import SecretStr

from domain.references import creditor_reference
from papers.codes import svg_of
from schemas.letters import Notice
from schemas.parts import Product
from schemas.shops import Shop
from services.notifier import rows
from services.notifier.edge.connections import Reply
from services.notifier.edge.dkim import Signer
from services.notifier.edge.mailer import LetterCaller
from services.notifier.letters import letter
from services.notifier.letters.enclosed import PDF_BYTES_MAX, Enclosed, enclosed, paper_for
from services.notifier.settings import MailSettings, MailSettingsError
from tests.keys import dkim_key
from tests.printed import read_pdf, read_png, read_svgs, text_of_pdf
from tests.rules.letter_samples import (
    SECRET,
    SENDER,
    FixedLinks,
    Sample,
    enclosure_of,
    enclosures,
    parts,
    read,
    samples,
)
from tests.rules.paper_samples import AT, ISSUER, payment
from tests.storefront.pages_app import SECRET as PAGE_SECRET
from tests.storefront.payer_pages import as_toml
from texts.catalogue import languages

REFERENCE = creditor_reference(payment().number or "") or "?"
OPEN = "payment-done-invoice-open"


def in_euros(language: str, name: str = OPEN) -> Sample:
    """The letter of an invoice in EUR to a reader of a language."""
    return samples("en")[name].to(locale=language)


def sent(sample: Sample, enclosure: Enclosed | None) -> EmailMessage:
    return read(written_with(sample, enclosure))


def written_with(sample: Sample, enclosure: Enclosed | None) -> bytes:
    """The letter that encloses this."""
    return bytes(letter(sample.notice, sample.person, SENDER, FixedLinks(), sample.of, enclosure))


def said(notice: Notice, **says: Any) -> Notice:
    return notice.model_copy(update={"says": notice.says.model_copy(update=says)})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("language", "due"),
    [("en-US", "March 20, 2026"), ("en-GB", "20 March 2026"), ("ja", "2026年3月20日")],
)
def test_an_open_invoice_says_by_when_and_where_to_pay(language: str, due: str) -> None:
    sample = in_euros(language)
    message = sent(sample, enclosure_of(sample, ISSUER))
    for text in (parts(message)["text/plain"], parts(message)["text/html"]):
        for each in (due, "84", "Corner Shop Ltd", "DE89 3704 0044 0532 0130 00", REFERENCE):
            assert each in text, each


@pytest.mark.parametrize(
    ("seller", "says"),
    [("Leaf & Cup", "Corner Shop Ltd issues the invoice for Leaf & Cup."), (ISSUER.name, "")],
    ids=["another", "the issuer itself"],
)
def test_a_letter_names_for_whom_the_invoice_is_issued(seller: str, says: str) -> None:
    sample = in_euros("en")
    of = Shop(shop_id="leaf", name=seller, at=AT, version=1)
    enclosure = enclosure_of(sample, ISSUER)
    text = parts(
        read(bytes(letter(sample.notice, sample.person, SENDER, FixedLinks(), of, enclosure)))
    )["text/plain"]
    assert says in " ".join(text.split())
    assert ("issues the invoice" in text) == bool(says)


@pytest.mark.slow
@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize(
    ("name", "amount"), [(OPEN, "EUR84.00"), (f"{OPEN[:-4]}in-part", "EUR49.80")]
)
def test_picture_and_pdf_have_the_same_code_of_what_is_open(
    name: str, amount: str, language: str
) -> None:
    sample = in_euros(language, name)
    picture, pdf = enclosures(sent(sample, enclosure_of(sample, ISSUER)))
    (code,) = read_png(picture.get_content())
    assert code.split("\n")[6:8] == ["DE89370400440532013000", amount]
    assert read_pdf(pdf.get_content()) == [code] == read_svgs(svg_of(code))
    assert (pdf.get_content_type(), pdf.get_filename()) == (
        "application/pdf",
        f"invoice-{payment().number}.pdf",
    )
    title = {"en": "Invoice", "ja": "請求書"}[language]
    assert title in text_of_pdf(pdf.get_content())[0]


@pytest.mark.slow
@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("name", ["payment-done-invoice-covered", "payment-done-credit-favor"])
def test_where_nothing_is_open_the_paper_comes_without_an_account(name: str, language: str) -> None:
    sample = in_euros(language, name)
    message = sent(sample, enclosure_of(sample, ISSUER))
    (pdf,) = enclosures(message)
    kind = "credit-note" if "credit" in name else "invoice"
    assert str(pdf.get_filename()).startswith(f"{kind}-")
    assert "IBAN" not in parts(message)["text/plain"]


def test_without_an_issuer_the_letter_says_where_the_invoice_is() -> None:
    message = sent(in_euros("en"), None)
    assert enclosures(message) == []
    text = parts(message)["text/plain"]
    assert "You find it on the page with your payments" in text
    assert "IBAN" not in text
    assert "attached" not in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "is_attached"), [(PDF_BYTES_MAX, True), (PDF_BYTES_MAX + 1, False)]
)
def test_a_pdf_that_is_too_large_is_left_out_and_the_letter_says_where_it_is(
    size: int, *, is_attached: bool
) -> None:
    sample = in_euros("en")
    message = sent(sample, enclosed(sample.notice, ISSUER, b"%" * size))
    names = [each.get_filename() for each in enclosures(message)]
    assert names == ["code.png", *([f"invoice-{payment().number}.pdf"] if is_attached else [])]
    text = parts(message)["text/plain"]
    assert ("attached as a PDF" in text) == is_attached
    assert "/payments/token-of-ada" in text
    assert "DE89 3704" in text


@pytest.mark.slow
def test_a_letter_that_is_sent_again_is_the_same() -> None:
    sample = in_euros("ja")
    once, again = (bytes(sent(sample, enclosure_of(sample, ISSUER))) for _ in range(2))
    assert once == again


NO_PAPER: list[tuple[str, dict[str, Any]]] = [
    ("a notice of an earlier version", {"billed": None}),
    ("without a product", {"product": None}),
]


@pytest.mark.parametrize(("what", "says"), NO_PAPER, ids=[each[0] for each in NO_PAPER])
def test_a_notice_that_lacks_what_a_paper_says_has_none(what: str, says: dict[str, Any]) -> None:
    sample = in_euros("en")
    assert paper_for(said(sample.notice, **says), sample.person, ISSUER, SECRET) is None
    other = samples("en")["payment-done-charge"]
    assert paper_for(other.notice, other.person, ISSUER, SECRET) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "name"),
    [
        ("GB-1-I1", "invoice-GB-1-I1.pdf"),
        ('or-ü"\\;x y-I1', "invoice-or-____x_y-I1.pdf"),
        ("W" * 64, f"invoice-{'W' * 64}.pdf"),
    ],
)
def test_the_file_is_named_after_the_number_in_ascii_on_lines_that_are_not_too_long(
    number: str, name: str
) -> None:
    sample = in_euros("en")
    assert sample.notice.says.billed is not None
    numbered = payment(provider_reference=number)
    billed = sample.notice.says.billed.model_copy(update={"payment": numbered})
    notice = said(sample.notice, billed=billed)
    again = sample._replace(notice=notice)
    raw = written_with(again, enclosure_of(again, ISSUER))
    _, pdf = enclosures(read(raw))
    assert pdf.get_filename() == name
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 100


@pytest.mark.slow
def test_a_signature_covers_the_paper(tmp_path: Path) -> None:
    key, dns = dkim_key(tmp_path)
    sample = in_euros("en")
    raw = written_with(sample, enclosure_of(sample, ISSUER))
    signed = Signer("example.org", "s1", key.read_bytes()).sign(raw)
    assert dkim.verify(signed, dnsfunc=dns)
    assert not dkim.verify(signed.replace(b"JVBERi", b"JVBERj"), dnsfunc=dns), "a PDF begins so"


# --- as the notifier sends them ------------------------------------------------------------------


class Kept:
    """Keeps letters in place of a mail server."""

    def __init__(self, _: MailSettings) -> None:
        self.contents: list[bytes] = []

    async def send(
        self, content: bytes, sender: str, recipient: str, begin: Callable[[], None]
    ) -> Reply:
        self.contents.append(content)
        return Reply("sent", 250, "taken", "data")

    async def stop(self) -> None:
        """Nothing to close."""


@contextmanager
def calling(folder: Path, issuer: str | None) -> Iterator[LetterCaller]:
    file = folder / "issuer.toml"
    file.write_text(issuer or "", encoding="utf-8")
    with patch("services.notifier.edge.mailer.Mailer", Kept):
        given = file if issuer is not None else None
        settings = MailSettings(link_secret=SecretStr(PAGE_SECRET), invoice_issuer_file=given)
        yield LetterCaller(settings, is_live=False)


def asked(notice: Notice, sample: Sample) -> rows.Request:
    return rows.Request((notice,), sample.person, notice.at)


@pytest.mark.slow
@pytest.mark.parametrize("is_issued", [True, False])
async def test_the_notifier_encloses_papers_if_it_knows_the_issuer(
    tmp_path: Path, *, is_issued: bool
) -> None:
    sample = in_euros("en")
    with calling(tmp_path, as_toml(ISSUER) if is_issued else None) as caller:
        await caller.start()
        mailer = caller._mailer
        assert isinstance(mailer, Kept)
        for _ in range(2):
            await caller(asked(sample.notice, sample), lambda: None)
        await caller.stop()
    first, again = mailer.contents
    types = [each.get_content_type() for each in enclosures(read(first))]
    assert types == (["image/png", "application/pdf"] if is_issued else [])
    papers = [enclosures(read(each))[1:] for each in (first, again)]
    once, twice = ([pdf.get_content() for pdf in pdfs] for pdfs in papers)
    assert once == twice, "a letter that is tried again has the same paper"


@pytest.mark.slow
async def test_other_letters_have_their_turns_while_a_pdf_is_made(tmp_path: Path) -> None:
    sample = in_euros("en")
    heavy = said(sample.notice, product=Product(name="長い" * 500))
    turns = 0
    with calling(tmp_path, as_toml(ISSUER)) as caller:
        await caller.start()
        sending = asyncio.ensure_future(caller(asked(heavy, sample), lambda: None))
        while not sending.done():
            turns += 1
            await asyncio.wait({sending}, timeout=0)
        await sending
        await caller.stop()
    assert turns > 20


def test_an_issuer_that_cannot_be_read_ends_the_start_with_what_to_mend(tmp_path: Path) -> None:
    without_account = 'name = "Shop"\naddress = ["1"]\ntax_id = "1"\n'
    with (
        pytest.raises(MailSettingsError, match="there is no account to pay to"),
        calling(tmp_path, without_account),
    ):
        pytest.fail("it started")
