"""Letters as recipients get them: what they say, in both languages, and that mail takes them."""
# ruff: noqa: RUF001 - Japanese has its own parentheses

import re
from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP
from functools import cache, cached_property
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

import services.auction_service.rules.auctions as auction_rules
import services.order_service.rules.purchases as order_rules
from domain.calendar_files import sequence
from domain.mailboxes import AddressError, usable
from domain.pseudonyms import pseudonym, short_number
from runtime.links import Links, mark_of_holder
from schemas.auctions import AuctionOpened, Seller
from schemas.letters import OPTIONAL_KINDS, SAID, LetterKind, Notice, Says, mailbox_of
from schemas.parts import Product
from schemas.shops import Shop
from services.auction_service.rules.offers import opening_problems
from services.notifier import letters
from services.notifier.letters import NoticeError, letter
from services.notifier.letters.figures import Figures
from services.notifier.letters.letter import DEADLINE_KINDS, _form
from services.notifier.letters.links import SignedLinks
from services.notifier.letters.written import TextForm
from services.notifier.rows import Person
from services.notifier.rules.facts import Row, rows, values
from services.notifier.rules.headers import message_id
from services.notifier.rules.labels import (
    KINDS,
    colon,
)
from services.notifier.rules.merging import told
from tests.rules.golden import FOLDER, files
from tests.rules.letter_samples import (
    AT,
    AUCTION_ID,
    CLOSES_AT,
    GROUP_ID,
    SECRET,
    SECRETS,
    SENDER,
    FixedLinks,
    Sample,
    enclosures,
    golden,
    has_address,
    parts,
    read,
    samples,
    written,
)
from texts.catalogue import languages
from texts.problems import PROBLEMS
from texts.reasons import (
    OFFERS_AND_WITHDRAWALS,
    ORDERS_AND_RETURNS,
    Writing,
    field_name,
)
from texts.reasons import told as told_problem

KINDS_OF_LETTERS: tuple[LetterKind, ...] = get_args(LetterKind)


def sample(name: str, language: str) -> Sample:
    return samples(language)[name]


@cache
def raw(name: str, language: str) -> bytes:
    return written(sample(name, language))


@cache
def parsed(name: str, language: str) -> EmailMessage:
    return read(raw(name, language))


def text_of(message: EmailMessage) -> str:
    return parts(message)["text/plain"]


def html_of(message: EmailMessage) -> str:
    return parts(message)["text/html"]


def changed(found: Sample, **says: Any) -> Sample:
    told = found.notice.says.model_copy(update=says)
    return found._replace(notice=found.notice.model_copy(update={"says": told}))


# --- every letter --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sent:
    """A sample, its letter's bytes, and what they are read as."""

    sample: Sample
    language: str
    raw: bytes
    message: EmailMessage

    @property
    def notice(self) -> Notice:
        return self.sample.notice

    @property
    def person(self) -> Person:
        return self.sample.person

    @cached_property
    def is_digest(self) -> bool:
        return len(told((self.notice, *self.sample.merged))) > 1

    @cached_property
    def page(self) -> "Page":
        return Page.of(html_of(self.message))


Check = Callable[[Sent], None]
CHECKS: list[Check] = []


def of_every_letter(check: Check) -> Check:
    """Holds of every letter there is; they are written and read once for all checks."""
    CHECKS.append(check)
    return check


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "language"),
    [(name, language) for language in languages() for name in samples(language)],
)
def test_every_letter(name: str, language: str) -> None:
    sent = Sent(sample(name, language), language, raw(name, language), parsed(name, language))
    for check in CHECKS:
        check(sent)
    golden_file = FOLDER / f"{name}.{language}.txt"
    assert golden(sent.message) == golden_file.read_text(encoding="utf-8"), (
        f"{golden_file}: if the change is meant, run `make golden`, and read the diff"
    )


# --- what recipients see -------------------------------------------------------------------------


def test_golden_files_are_those_of_the_samples() -> None:
    wanted = files()
    assert {path.name for path in FOLDER.iterdir()} == set(wanted), "run `make golden`"
    for name, text in wanted.items():
        if name.endswith(".html"):
            assert (FOLDER / name).read_text(encoding="utf-8") == text(), "run `make golden`"


def test_every_kind_has_a_sample() -> None:
    for language in languages():
        kinds = {each.notice.kind for each in samples(language).values()}
        assert kinds == set(KINDS_OF_LETTERS)
    assert set(KINDS) == set(KINDS_OF_LETTERS)


@of_every_letter
def text_and_html_tell_every_fact(sent: Sent) -> None:
    """Count, price, date and names stand in both parts, whatever the sentences say."""
    person, message = sent.person, sent.message
    figures = Figures.of(person.locale, person.time_zone)
    page = sent.page
    found: list[Row] = []
    for notice in told((sent.notice, *sent.sample.merged)):
        known = values(notice, person.name or "", figures, sent.sample.of)
        tiles, below = rows(notice, known, sent.language)
        # In a digest the product is the heading.
        found += [
            row for row in tiles + below if not (sent.is_digest and row[1] == known["product"])
        ]
        assert (known["product"] or "") in text_of(message)
    assert found or sent.notice.kind in ("links-again", "data-link", "seller-standing")
    for label, value in found:
        assert f"{label}{colon(sent.language)}{value}\n" in text_of(message)
        assert label in page.texts
        assert value in page.texts
    assert person.name
    assert person.name in text_of(message)
    assert any(person.name in text for text in page.texts)


@pytest.mark.slow
@pytest.mark.parametrize("name", samples("en"))
def test_both_languages_have_the_same_figures(name: str) -> None:
    """The same notice, to readers of both languages who write numbers and times alike."""
    notice, person, of, _ = sample(name, "en")
    digits = []
    for locale in ("en-GB", "ja"):
        figures = Figures.of(locale, "UTC")
        known = values(notice, person.name or "", figures, of)
        tiles, below = rows(notice, known, figures.language)
        digits.append([set(map(int, re.findall(r"\d+", row.value))) for row in tiles + below])
    english, japanese = digits
    assert len(english) == len(japanese)
    # Japanese has the month as a number too.
    assert all(ours <= theirs for ours, theirs in zip(english, japanese, strict=True))


@of_every_letter
def sentences_and_html_say_the_same(sent: Sent) -> None:
    """Each line of the text that is no address or label is a text of the HTML."""
    message = sent.message
    shown = " ".join(sent.page.texts)
    for paragraph in text_of(message).partition("\n-- \n")[0].split("\n\n"):
        if "\n" not in paragraph:
            assert paragraph.strip() in shown


@of_every_letter
def no_letter_says_who_the_others_are(sent: Sent) -> None:
    message = sent.message
    for content in (text_of(message), html_of(message), parts(message).get("text/calendar", "")):
        assert not [secret for secret in SECRETS if secret in content]
        assert sent.person.email not in content


def test_who_intercepted_is_not_said_even_if_a_notice_does() -> None:
    invitation = sample("invitation", "en").notice
    told = changed(sample("right-intercepted", "en"), shown=invitation.says.shown)
    assert SECRETS[0] in told.notice.model_dump_json()
    assert not [secret for secret in SECRETS if secret in text_of(read(written(told)))]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS_OF_LETTERS)
def test_only_optional_letters_can_be_unsubscribed(kind: LetterKind) -> None:
    name = next(name for name, each in samples("en").items() if each.notice.kind == kind)
    message = parsed(name, "en")
    url = f"https://jointbuy.example/unsubscribe/token-of-{kind}"
    if kind in OPTIONAL_KINDS:
        assert message["List-Unsubscribe"] == f"<{url}>"
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert url in text_of(message)
        assert url in Page.of(html_of(message)).links
    else:
        assert "List-Unsubscribe" not in message
        assert "List-Unsubscribe-Post" not in message
        assert "unsubscribe" not in (text_of(message) + html_of(message)).lower()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("id-issued-member", f"/groups/{GROUP_ID}"),
        ("id-issued-organizer", f"/groups/{GROUP_ID}/manage/token-of-ada"),
        ("payment-done-refund", f"/groups/{GROUP_ID}/payments/token-of-ada"),
        ("payment-failed-charge", f"/groups/{GROUP_ID}/payments/token-of-ada"),
        ("confirm-order", "/confirm-order/token-of-2026-0417"),
        ("confirm-application", "/confirm/token-of-application-7"),
        ("invitation", "/counter-offer/token-of-millers-oil"),
        ("right-intercepted", "/counter-offer/token-of-millers-oil"),
        ("offer-judged-not-better", "/counter-offer/token-of-millers-oil"),
        ("offer-judged-shown", f"/auctions/{AUCTION_ID}"),
        ("contract-concluded-seller", f"/auctions/{AUCTION_ID}"),
    ],
)
def test_the_button_leads_where_something_can_be_done(name: str, path: str) -> None:
    links = Page.of(html_of(parsed(name, "en"))).links
    # The brand comes before it, and the button's address is spelt out below it.
    assert links[1] == links[2] == f"https://jointbuy.example{path}"


def test_a_letter_to_the_person_of_one_order_leads_to_the_payments_of_that_order() -> None:
    found = sample("payment-done-refund", "en")
    says = found.notice.says.model_copy(update={"order_id": "-2026-0417"})
    notice = found.notice.model_copy(update={"says": says})
    links = Page.of(html_of(read(written(found._replace(notice=notice))))).links
    path = f"/groups/{GROUP_ID}/payments/token-of-ada-2026-0417"
    assert links[1] == links[2] == f"https://jointbuy.example{path}"


@pytest.mark.parametrize(
    ("name", "is_other", "can_withdraw"),
    [
        ("condition-improved", True, True),
        ("condition-improved-twice", True, True),
        ("condition-improved-price", False, False),
    ],
)
def test_better_terms_of_another_seller_say_so_with_the_way_out(
    name: str, is_other: bool, can_withdraw: bool
) -> None:
    """Notices of earlier versions do not say which reservation it is."""
    text = text_of(parsed(name, "en"))
    assert ("The seller changes" in text) == is_other
    assert ("/applications/token-of-application-7" in text) == can_withdraw
    if name.endswith("twice"):
        assert "Delivery: " in text


def test_our_own_pages_are_no_shop_s_name() -> None:
    """The source of an order that was made here means nothing to its buyer."""
    for name in ("order-counted", "order-refused", "order-refused-return"):
        found = changed(sample(name, "en"), source="storefront")
        assert "storefront" not in text_of(read(written(found))), name


def test_the_letter_of_an_invoice_says_whom_to_ask_to_cancel() -> None:
    found = sample("payment-done-invoice-open", "en")._replace(
        of=sample("order-counted-of-shop", "en").of
    )
    asks = "To change or cancel your order, ask The Corner Shop: hello@corner-shop.example"
    assert asks in text_of(read(written(found)))


def test_the_letter_that_confirms_says_what_a_reservation_replaces() -> None:
    assert "replaces your earlier reservation of 2 units" in text_of(
        parsed("confirm-application-instead", "en")
    )
    assert "replaces" not in text_of(parsed("confirm-application", "en"))


def test_nobody_is_called_to_outbid_when_the_term_is_over() -> None:
    for name in ("right-intercepted", "invitation", "offer-judged-not-better"):
        found = sample(name, "en")
        late = found.notice.model_copy(update={"at": CLOSES_AT})
        assert "counter-offer/" not in text_of(read(written(found._replace(notice=late))))


# --- reasons -------------------------------------------------------------------------------------


def codes(text: str | None, begin: str) -> set[str]:
    """The codes that a docstring names between ``begin`` and the end of its paragraph."""
    paragraph = (text or "").partition(begin)[2].partition("\n\n")[0]
    return set(re.findall(r"``([a-z-]+)``", paragraph))


def test_every_reason_of_an_order_has_words() -> None:
    named = codes(order_rules.__doc__, "Reasons of refusals")
    assert len(named) > 5
    assert named == set(ORDERS_AND_RETURNS)


def test_every_reason_of_an_offer_has_words() -> None:
    named = codes((auction_rules.__doc__ or "").split("Of applications")[0], "Reasons of verdicts")
    withdrawal = {"not-the-opener", "has-better-offer", "has-applications"}
    assert len(named) > 10
    assert named | withdrawal == set(OFFERS_AND_WITHDRAWALS)


def test_every_problem_of_terms_has_words() -> None:
    """Whatever the auction finds wrong with an opening is said in the reader's language."""
    openings = [
        {"closes_at": AT, "invites_at": AT},
        {"offered_at": datetime(1950, 1, 1, tzinfo=UTC)},
        {"closes_at": datetime(9500, 1, 1, tzinfo=UTC)},
    ]
    found = [
        each
        for opening in openings
        for each in opening_problems(
            AuctionOpened(**{
                "offer_id": "o", "auction_id": "a", "seller_id": "s", "product": Product(name="x"),
                "minimum_reservations": 0, "unit_price": 0, "currency": "beads",
                "minimum_step": 0, "offered_at": AT, "closes_at": CLOSES_AT, **opening,
            })
        )
    ]  # fmt: skip
    english, japanese = Writing("en"), Writing("ja")
    fields = {"minimum_reservations", "unit_price", "minimum_step", "currency"}
    assert {each.field for each in found} == fields | {"offered_at", "closes_at", "invites_at"}
    for each in found:
        assert each.code in PROBLEMS
        assert told_problem(each, english) == each.problem
        assert told_problem(each, japanese) != each.problem
        assert field_name(each.field, japanese) not in (each.field, field_name(each.field, english))


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("name", ["order-refused", "offer-judged-refused"])
def test_a_reason_without_words_is_quoted(name: str, language: str) -> None:
    unknown = changed(sample(name, language), reason="eaten-by-the-dog", problems=())
    assert "eaten-by-the-dog" in text_of(read(written(unknown)))


# --- the reader's way of writing -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("locale", "zone", "whole", "money"),
    [
        (
            *("en-US", "America/New_York"),
            *("Friday, March 13, 2026, 1:00\xa0PM (Eastern Daylight Time)", "€1,234.50"),
        ),
        (
            *("en_GB", "Europe/Berlin"),
            *("Friday, 13 March 2026, 18:00 (Central European Standard Time)", "€1,234.50"),
        ),
        ("ja-JP", "Asia/Tokyo", "2026年3月14日土曜日 2:00（日本標準時）", "€1,234.50"),
        ("ja_JP.UTF-8", "UTC", "2026年3月13日金曜日 17:00（協定世界時）", "€1,234.50"),
        *(
            (
                *(locale, zone),
                *("Friday, March 13, 2026, 5:00\xa0PM (Coordinated Universal Time)", "€1,234.50"),
            )
            for locale, zone in (
                *((None, None), ("de-DE", "Mars/Olympus"), ("en-XX", "Europe"), ("", "")),
                *(("x" * 35, "../../etc/passwd"), ("e\0n", "UTC\0"), ("-", "/"), ("ジ", "東京")),
            )
        ),
    ],
)
def test_figures_by_locale_and_time_zone(
    locale: str | None, zone: str | None, whole: str, money: str
) -> None:
    figures = Figures.of(locale, zone)
    assert figures.full(CLOSES_AT) == whole
    assert figures.money(123450, "EUR") == money


@pytest.mark.parametrize(
    ("amount", "currency", "english", "japanese"),
    [
        (6400, "JPY", "¥6,400", "¥6,400"),
        (5, "GBP", "£0.05", "£0.05"),
        (1234567, "KWD", "KWD\xa01,234.567", "KWD\xa01,234.567"),
        # Of these CLDR would drop the decimals, and multiply the price by a hundred.
        (12345, "RSD", "RSD\xa0123.45", "RSD\xa0123.45"),
        (12345, "IQD", "IQD\xa012.345", "IQD\xa012.345"),
        (250, "beads", "250 of the smallest unit of beads", "250（beadsの最小単位）"),
        (250, "", "250 of the smallest unit", "250（通貨の最小単位）"),
    ],
)
def test_money_by_currency(amount: int, currency: str, english: str, japanese: str) -> None:
    assert Figures("en", "en", "UTC").money(amount, currency) == english
    assert Figures("ja", "ja", "UTC").money(amount, currency) == japanese


@pytest.mark.parametrize("at", [datetime.min, datetime.max, datetime(2026, 3, 29, 1, 30)])
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "Europe/Berlin"])
def test_no_time_is_out_of_range(at: datetime, zone: str) -> None:
    assert Figures("en", "en", zone).full(at.replace(tzinfo=UTC))


# --- what mail takes -----------------------------------------------------------------------------


@of_every_letter
def letters_are_mail(sent: Sent) -> None:
    content = sent.raw
    lines = content.split(b"\r\n")
    assert content.isascii()
    assert all(len(line) <= 998 for line in lines)
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    head, _, _ = content.partition(b"\r\n\r\n")
    assert all(len(line) <= 78 for line in head.split(b"\r\n") if b"https://" not in line)


@of_every_letter
def headers(sent: Sent) -> None:
    notice, person, message = sent.notice, sent.person, sent.message
    (sender,) = message["From"].addresses
    assert sender.addr_spec == "letters@jointbuy.example"
    assert "jointbuy" in sender.display_name
    of = sent.sample.of
    assert message["Reply-To"] == (of.email if of else None)
    assert (sender.display_name != "jointbuy") is (of is not None)
    (recipient,) = message["To"].addresses
    assert recipient.addr_spec == person.email
    assert recipient.display_name == person.name
    assert message["Date"].datetime == max(each.at for each in (notice, *sent.sample.merged))
    assert message["Message-ID"] == f"<{notice.notice_id}@jointbuy.example>"
    assert message["In-Reply-To"] == message["References"]
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == sent.language
    assert message["X-Jointbuy-Kind"] == notice.kind


def test_a_thread_for_each_group_and_auction() -> None:
    threads = {
        each.notice.about: parsed(name, "en")["References"]
        for name, each in samples("en").items()
        if name not in ("invitations", "offers-judged")
    }
    assert set(threads) == {GROUP_ID, AUCTION_ID, "ada", "data", "millers-oil"}
    assert len(set(threads.values())) == 5
    for name, each in samples("en").items():
        if name not in ("invitations", "offers-judged"):  # they are about several auctions
            assert parsed(name, "en")["References"] == threads[each.notice.about]


def test_the_same_notice_gives_the_same_bytes() -> None:
    """A letter that is sent again is the one that was sent."""
    found = sample("invitation", "ja")
    again = Notice.model_validate_json(found.notice.model_dump_json())
    assert written(found) == written(found._replace(notice=again))


def test_a_notice_id_of_any_characters_makes_a_message_id() -> None:
    assert message_id("a.b-c_1", "x.example") == "<a.b-c_1@x.example>"
    for odd in ("<a>", "a b", "ä", ".a", "a..b", "\u202e"):
        assert re.fullmatch(r"<[0-9a-f]{32}@x\.example>", message_id(odd, "x.example"))


@pytest.mark.parametrize("kind", (kind for kind in KINDS_OF_LETTERS if SAID[kind]))
def test_a_notice_that_says_too_little(kind: LetterKind) -> None:
    notice = Notice(
        notice_id="n", kind=kind, recipient_id="a", about="g", at=AT, says=Says(party_id="a")
    )
    person = sample("order-counted", "en").person
    with pytest.raises(NoticeError, match=f"a letter {kind} does not say .*{min(SAID[kind])}"):
        letter(notice, person, SENDER, FixedLinks())


# --- addresses -----------------------------------------------------------------------------------


# All spellings are in tests/contracts/test_mailboxes.py.


@pytest.mark.slow
@pytest.mark.parametrize(
    ("email", "address", "header"),
    [
        ("ada@example.org", "ada@example.org", "<ada@example.org>"),
        ("a..b@docomo.ne.jp", '"a..b"@docomo.ne.jp', '<"a..b"@docomo.ne.jp>'),
        ("a.@docomo.ne.jp", '"a."@docomo.ne.jp', '<"a."@docomo.ne.jp>'),
        ("a/b@example.org", "a/b@example.org", "<a/b@example.org>"),
        ('"ada lovelace"@example.org', '"ada lovelace"@example.org', None),
        ("ada@bücher.example", "ada@xn--bcher-kva.example", "<ada@xn--bcher-kva.example>"),
        ("jörg@example.com", "jörg@example.com", "<jörg@example.com>"),
        ("会員@例え.jp", "会員@xn--r8jz45g.jp", "<会員@xn--r8jz45g.jp>"),
        ('"jörg m"@example.com', '"jörg m"@example.com', '<"jörg m"@example.com>'),
        (f"{'ö' * 32}@example.com", f"{'ö' * 32}@example.com", None),
    ],
)
def test_a_letter_goes_to_the_address_and_names_it(
    email: str, address: str, header: str | None
) -> None:
    found = sample("order-counted", "en").to(email=email)
    assert letter(*found[:2], SENDER, FixedLinks()).recipient == usable(email) == address
    content = written(found)
    head, _, below = content.partition(b"\r\n\r\n")
    assert below.isascii(), "only the header To may need SMTPUTF8"
    (line,) = re.findall(r"^To: ([^\r]+(?:\r\n [^\r]+)*)", head.decode(), re.M)
    assert line.replace("\r\n ", " ").endswith(header or f"<{address}>")
    assert head.isascii() == address.isascii()
    (recipient,) = read(content)["To"].addresses
    assert has_address(recipient, address)


@pytest.mark.parametrize(
    ("email", "wrong"),
    [
        ("", "^missing$"),
        ("ada", "^no_at$"),
        ("a@example.org, b@example.org", "^several$"),
        ("Ada <a@example.org>", "^named$"),
        ("a@example.org\r\nBcc: b@example.org", "^hidden$"),
        ("a@[127.0.0.1]", "^ip$"),
    ],
)
def test_no_letter_goes_to_a_text_that_is_not_an_address(email: str, wrong: str) -> None:
    with pytest.raises(AddressError, match=wrong):
        letter(*sample("order-counted", "en").to(email=email)[:2], SENDER, FixedLinks())


def test_a_sender_that_cannot_be_is_told_at_once() -> None:
    """Not with each letter, which would be given up for it."""
    for wrong in ({"mail_from": "nobody"}, {"domain": "no domain"}, {"mail_from": "nö@x.example"}):
        with pytest.raises(ValueError, match=r"^letters can't come from 'n"):
            replace(SENDER, **wrong)


def test_a_sender_of_a_foreign_domain() -> None:
    sender = replace(SENDER, mail_from="post@bücher.example", domain="bücher.example")
    message = read(bytes(letter(*sample("invitation", "en")[:2], sender, FixedLinks())))
    assert message["From"] == "jointbuy <post@xn--bcher-kva.example>"
    assert message["Message-ID"].endswith("@xn--bcher-kva.example>")


# --- calendar ------------------------------------------------------------------------------------


def properties(text: str) -> dict[str, tuple[str, str]]:
    """Name to (parameters, value) of an event, by RFC 5545's own words rather than a library."""
    assert re.fullmatch(r"([^\r\n]{1,75}\r\n)+", text.encode().decode("latin-1")), "folded at 75"
    event = text.replace("\r\n ", "").partition("BEGIN:VEVENT\r\n")[2].partition("END:VEVENT")[0]
    found = [re.fullmatch(r"([A-Z-]+)((?:;[^:]+)?):(.*)", line) for line in event.splitlines()]
    return {each[1]: (each[2], each[3]) for each in found if each}


@of_every_letter
def open_deadlines_come_as_calendar_files(sent: Sent) -> None:
    notice, message = told((sent.notice, *sent.sample.merged))[-1], sent.message
    attached = [each for each in message.walk() if each.get_content_type() == "text/calendar"]
    is_open = notice.at < (notice.says.closes_at or notice.at)
    if notice.kind not in DEADLINE_KINDS or not is_open or sent.is_digest:
        assert not attached
        return
    (file,) = attached
    assert message.get_content_type() == "multipart/mixed"
    assert file["Content-Type"].params["method"] == "PUBLISH"
    assert file.get_filename() == "deadline.ics"
    assert file.is_attachment()
    content = file.get_content()
    event = properties(content)
    assert "METHOD:PUBLISH\r\n" in content
    assert event["DTSTART"] == ("", "20260313T170000Z")
    assert event["DTSTAMP"] == ("", f"{notice.at:%Y%m%dT%H%M%SZ}")
    assert re.fullmatch(r"[0-9a-f]{32}-deadline@jointbuy\.example", event["UID"][1])
    assert event["SEQUENCE"] == ("", str(sequence(notice.at)))
    assert event["TRANSP"] == ("", "TRANSPARENT")
    assert notice.says.product
    summary = event["SUMMARY"][1].replace("\\,", ",")
    assert notice.says.product.name in summary
    assert event["ORGANIZER"] == (";CN=jointbuy", "mailto:letters@jointbuy.example")
    assert not Calendar.from_ical(content).errors


def test_letters_about_one_deadline_are_about_one_entry() -> None:
    """And what is told later wins, to the second."""
    found = sample("invitation", "en")
    later = found.notice.model_copy(update={"at": found.notice.at + timedelta(seconds=1)})
    files_of = [
        properties(read(written(each)).get_payload()[1].get_content())
        for each in (found, found._replace(notice=later))
    ]
    first, second = files_of
    assert first["UID"] == second["UID"]
    assert int(second["SEQUENCE"][1]) == int(first["SEQUENCE"][1]) + 1
    other = properties(parsed("id-issued-member", "en").get_payload()[1].get_content())
    assert other["UID"] != first["UID"]


@pytest.mark.parametrize(
    ("at", "number"),
    [
        (datetime(2020, 1, 1, tzinfo=UTC), 0),
        (datetime(2020, 1, 1, 0, 1, 0, 999_999, tzinfo=UTC), 60),
        (datetime(2011, 5, 2, tzinfo=UTC), 0),
        (datetime(9000, 1, 1, tzinfo=UTC), 2**31 - 1),
    ],
)
def test_sequences_are_whole_numbers_that_calendars_take(at: datetime, number: int) -> None:
    assert sequence(at) == number


# --- HTML ----------------------------------------------------------------------------------------

VOID = {"br", "img", "meta"}


class Page(HTMLParser):
    """What a letter's HTML shows and where it leads; fails on tags that are not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.links: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    @staticmethod
    def of(text: str) -> "Page":
        page = Page()
        page.feed(text)
        page.close()
        assert not page.open, f"not closed: {page.open}"
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "a":
            self.links.append(dict(attrs)["href"] or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


@of_every_letter
def html_needs_nothing_from_elsewhere(sent: Sent) -> None:
    """No script, form or style sheet. Links lead to our own pages or those of who sells.

    The only images are enclosed, or the logo of who sells, from our own pages.
    """
    html = html_of(sent.message)
    page = sent.page
    allowed = {"html", "head", "meta", "title", "style", "body", "div", "table", "tbody", "tr"}
    allowed |= {"td", "th", "p", "h1", "a", "br", "blockquote", "img"}
    assert {tag for tag, _ in page.tags} <= allowed
    images = [each for tag, each in page.tags if tag == "img"]
    ids = {str(each["Content-ID"])[1:-1] for each in enclosures(sent.message) if each["Content-ID"]}
    of = sent.sample.of
    logo = of.logo if of else None
    logos = {f"https://jointbuy.example/images/{logo}"} if logo else set()
    assert {each["src"] for each in images} == {f"cid:{each}" for each in ids} | logos
    assert all(each["alt"] for each in images)
    attributes = {attribute for tag, each in page.tags for attribute in each if tag != "img"}
    assert not attributes & {"src", "srcset", "background", "action", "data", "onload", "onclick"}
    assert not re.search(r"url\(|@import|@font-face|expression\(|javascript:", html, re.I)
    of_seller = links_of(of) if of else ()
    for link in page.links:
        assert re.match(r"https://jointbuy\.example(/|$)", link) or link.startswith(of_seller)
    root = page.tags[0]
    assert root == ("html", {"lang": sent.language, "dir": "ltr"})
    assert all("style" in each for tag, each in page.tags if tag in {"h1", "p", "th"}), (
        "the style sheet is inlined"
    )
    assert "@media (prefers-color-scheme: dark)" in html
    assert len(html.encode()) < 40_000, "mail programs cut what is longer than 100 kB"


def links_of(of: Shop | Seller) -> tuple[str, ...]:
    """How the addresses begin that a letter links to for who sells."""
    order = (of.order_link or "").partition("{")[0]
    return tuple(filter(None, (order, of.terms_url, of.privacy_url, of.imprint_url)))


def test_html_escapes_what_people_type() -> None:
    typed = sample("order-counted", "en").to(name="<script>alert(1)</script>")
    typed = changed(typed, product=Product(name='<img src="x">&amp;'))
    page = Page.of(html_of(read(written(typed))))
    assert not {"script", "img"} & {tag for tag, _ in page.tags}
    assert '<img src="x">&amp;' in page.texts


Styles = dict[str, dict[str, str]]


def styles(css: str) -> Styles:
    """Declarations by selector; a later one for the same selector adds to it."""
    found: Styles = {}
    for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", css):
        for selector in selectors.split(","):
            declared = dict(
                (each.strip() for each in line.split(":", 1))
                for line in body.replace("!important", "").split(";")
                if ":" in line
            )
            found.setdefault(selector.strip(), {}).update(declared)
    return found


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def schemes() -> Iterator[tuple[str, Styles]]:
    folder = Path(letters.__file__).parent / "templates"
    css = re.sub(r"/\*.*?\*/", "", (folder / "letter.css").read_text(encoding="utf-8"), flags=re.S)
    light, _, rest = css.partition("@media (max-width")
    yield "light", styles(light)
    yield "dark", styles(rest.partition("@media (prefers-color-scheme: dark) {")[2])


@pytest.mark.parametrize(("scheme", "style"), list(schemes()))
def test_colours_have_the_contrast_of_wcag_aa(scheme: str, style: Styles) -> None:
    ground, card, tile = (style[each]["background"] for each in (".page", ".card", ".tile"))
    text, quiet = style[".inside"]["color"], style[".tile-label"]["color"]
    pairs = [
        (text, card), (text, tile), (quiet, tile), (style[".spelt"]["color"], card),
        (style[".facts th"]["color"], card), (style[".note"]["color"], ground),
        (style[".note a"]["color"], ground), (style[".brand a"]["color"], ground),
        (style[".quote"]["color"], card), (style[".item-link a"]["color"], card),
    ]  # fmt: skip
    for mood in ("good", "ask", "bad", "plain"):
        pairs.append((style[f".{mood} .badge"]["color"], card))
        pairs.append((style[".button a"]["color"], style[f".{mood} .button a"]["background"]))
    assert not [pair for pair in pairs if contrast(*pair) < 4.5]


# --- links ---------------------------------------------------------------------------------------


def test_signed_links_say_what_they_are_for() -> None:
    links = Links("a secret of the deployment")
    signed = SignedLinks("https://shop.example", links)

    def token(url: str, path: str) -> str:
        assert url.startswith(f"https://shop.example/{path}/")
        return url.rpartition("/")[2]

    url = signed.unsubscribe("ada", "Ada@buyers.example", "invitation")
    mailbox = mailbox_of("ada", "ada@buyers.example")
    assert links.read("unsubscribe", token(url, "unsubscribe")) == ["ada", "invitation", mailbox]
    url = signed.confirm("auction-1", "application-2", 3)
    assert links.read("confirm-application", token(url, "confirm")) == [
        "auction-1",
        "application-2",
        "3",
    ]
    notice = sample("confirm-order", "en").notice
    until = "2026-03-08T09:30:00+00:00"
    assert links.read("confirm-order", token(signed.confirm_order(notice), "confirm-order")) == [
        GROUP_ID, "ada", "corner-shop", "2026-0417", "3", until,
    ]  # fmt: skip
    url = signed.counter_offer("auction-1", "seller-2")
    assert links.read("counter-offer", token(url, "counter-offer")) == ["auction-1", "seller-2"]
    url = signed.organizer(GROUP_ID, "olga")
    assert links.read("group", token(url, f"groups/{GROUP_ID}/manage")) == [GROUP_ID, "olga"]
    url = signed.payer(GROUP_ID, "ada", "m-ada")
    of_ada = [GROUP_ID, "ada", mark_of_holder("m-ada")]
    assert links.read("payer", token(url, f"groups/{GROUP_ID}/payments")) == of_ada
    url = signed.order(GROUP_ID, "ada")
    assert links.read("order", token(url, f"groups/{GROUP_ID}/order")) == [GROUP_ID, "ada"]
    url = signed.application("auction-1", "application-2")
    assert links.read("application", token(url, "applications")) == ["auction-1", "application-2"]
    url = signed.seller("seller-2", "Mori@sellers.example")
    mailbox = mailbox_of("seller:seller-2", "mori@sellers.example")
    assert links.read("seller", token(url, "seller/sign-in")) == ["seller-2", mailbox]
    assert signed.page("auctions", "a ?#%ü") == "https://shop.example/auctions/a%20%3F%23%25%C3%BC"
    assert signed.page("groups", GROUP_ID) == f"https://shop.example/groups/{GROUP_ID}"


@pytest.mark.slow
@pytest.mark.parametrize("language", languages())
def test_no_letter_repeats_what_a_stranger_wants_followed(language: str) -> None:
    trick = "Your account is locked, see https://evil.example/x at once"
    trapped = Product(id="www.evil.example", name="https://evil.example/x")
    greetings = {"en": "Hello,", "ja": "\nお客様\n"}
    for name, each in samples(language).items():
        hostile = each.to(name=trick, email="zoe@example.org")
        hostile = changed(hostile, product=Product(name=trick), gift=trick, seller_name=trick)
        for trap in (hostile, changed(hostile, product=trapped)):
            message = read(written(trap))
            said = [*parts(message).values(), message["Subject"], message["To"]]
            # The shop's own address to order at has the product's id, percent-encoded.
            said = [re.sub(r"https://[a-z-]+\.example/cart\?[^\s<\"]+", "", each) for each in said]
            assert not [text for text in said if "evil.example" in text], name
            assert message["To"] == "zoe@example.org"
            assert greetings[language] in text_of(message)
    issued = sample("id-issued-member", language)
    locked = read(written(changed(issued, product=Product(name=trick))))
    assert "Your account is locked, see … at once" in text_of(locked)
    unnamed = read(written(changed(issued, product=trapped)))
    assert GROUP_ID in unnamed["Subject"]


@pytest.mark.slow
@pytest.mark.parametrize("language", languages())
def test_what_is_sent_is_what_the_standard_library_would_write(language: str) -> None:
    for each in samples(language).values():
        content = written(each)
        parsed = BytesParser(policy=SMTP.clone(refold_source="none")).parsebytes(content)
        assert parsed.as_bytes() == content


@pytest.mark.slow
@given(st.text(st.sampled_from("ab \t.=\n€é"), max_size=300) | st.text(max_size=40))
def test_a_text_s_lines_are_encoded_one_by_one_as_all_at_once(text: str) -> None:
    text = text.replace("\r", "")
    part = TextForm("plain", text, ()).part({})
    encoding = re.search("Encoding: (.*)\r\n", part)
    quoted = b2a_qp(text.encode(), istext=True)
    is_quoted = len(quoted) < len(text.encode()) * 4 // 3
    assert encoding
    assert encoding[1] == ("quoted-printable" if is_quoted else "base64")
    encoded = quoted if is_quoted else encodebytes(text.encode())
    assert part.partition("\r\n\r\n")[2] == encoded.decode().replace("\n", "\r\n")


class OwnLinks(FixedLinks):
    """Links that differ from recipient to recipient; letters by other instances share nothing."""

    def unsubscribe(self, recipient_id: str, email: str, kind: str) -> str:
        return f"{self.page_url}/unsubscribe/{recipient_id}&{kind}"

    def confirm_order(self, notice: Notice) -> str:
        return f"{self.page_url}/confirm-order/{notice.says.party_id}"

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def of(party_id: str, found: Sample) -> Sample:
    """The same letter to another party; its id and the person's differ."""
    told = found.notice.says.model_copy(update={"party_id": party_id})
    update = {"recipient_id": f"shop:{party_id}", "says": told}
    return found._replace(notice=found.notice.model_copy(update=update))


@pytest.mark.parametrize("name", ["order-counted", "favor-given-by-shop"])
def test_buyers_by_address_read_their_own_number_in_the_organizer_s_list(name: str) -> None:
    label = "Your number in the organizer's list"
    links, found = OwnLinks(), sample(name, "en")
    told = {
        who: text_of(read(written(of(who, found), links))) for who in ("m-zoe", "m-yan", "acme:zoe")
    }
    assert label not in told["acme:zoe"]
    numbers = {}
    for who in ("m-zoe", "m-yan"):
        number = numbers[who] = short_number(pseudonym(SECRET, GROUP_ID, who))
        assert number
        assert f"{label}: {number}" in told[who]
    assert len(set(numbers.values())) == 2


@pytest.mark.slow
@pytest.mark.parametrize("language", languages())
def test_letters_that_differ_in_the_party_share_a_form(language: str) -> None:
    """They are written once, so that thousands of them take little time."""
    for found in samples(language).values():
        if found.merged or found.notice.kind == "links-again":
            continue  # each link in their lists is the recipient's own
        links = OwnLinks()
        misses = _form.cache_info().misses
        for party_id in ("zoe", "yan"):
            written(of(party_id, found.to(name=party_id)), links)
        assert _form.cache_info().misses == misses + 1


@pytest.mark.slow
@pytest.mark.parametrize("language", languages())
def test_letters_that_share_a_form_are_what_they_were_alone(language: str) -> None:
    for found in samples(language).values():
        several = [
            found,
            of("zoe", found.to(name='<b>"Zoë"</b> & ü' * 5, email="zoe@example.org")),
            of("x", found.to(name="\r\n\u202e", email="x@example.org")),
            of("y", found.to(name="Y", locale="ja-JP" if language == "en" else "en-GB")),
            of("z", found.to(name="Z", time_zone="America/Lima")),
        ]
        links = OwnLinks()
        for _ in range(2):
            for each in several:
                assert written(each, links) == written(each, OwnLinks())
