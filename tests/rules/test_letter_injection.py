"""Whatever people type as names, products, reasons or ids, a letter has our headers only.

300 examples, or the share of them that ``EXAMPLES_PERCENT`` says; ``JOINTBUY_EXAMPLES=5000`` tries
more.
"""

import os
import re
from collections import Counter
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import SMTP
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.mailboxes import AddressError, usable
from domain.unverified import greetable
from runtime.links import Links
from schemas.auctions import Seller
from schemas.letters import OPTIONAL_KINDS
from schemas.parts import Problem, Product
from schemas.shops import Shop
from services.notifier.edge.dialogue import envelope
from services.notifier.letters.links import SignedLinks
from services.notifier.rules.businesses import email_of
from services.notifier.rules.merging import told
from tests.rules.letter_samples import (
    SENDER,
    Sample,
    composed,
    has_address,
    parts,
    read,
    samples,
)
from tests.rules.test_letters import Page, html_of, links_of
from texts.catalogue import languages

EXAMPLES = int(os.environ.get("JOINTBUY_EXAMPLES", "300"))
LINKS = SignedLinks(SENDER.page_url, Links("a secret"))
SAMPLES = [sample for language in languages() for sample in samples(language).values()]

#: What has broken mail before, to be put together at random.
FRAGMENTS = (
    *("\r\n", "\n", "\r", "\0", "\x0b", "\x1c", "\x7f", "\x85", "\u2028", "\u2029", "\ufeff"),
    *("\u202e", "\u2066", "\u200f", "\u061c", "\u200b", "\u200d", "\u0300", "\ufffd"),
    *("\r\nBcc: mallory@evil.example", "\n\nContent-Type: text/html\n\n<script>", "\r\n.\r\n"),
    *("Bcc:", "To: ", "=?utf-8?q?=0D=0ABcc:_mallory=40evil.example?=", "=?utf-8?b?DQo=?=", "?="),
    *('"', "\\", "\\\r\n", "<", ">", ",", ";", ":", "@", "(", ")", "[", "]", "%0d%0a", " ", "\t"),
    *("<mallory@evil.example>", ", mallory@evil.example", '" <mallory@evil.example>, "'),
    *("<img src=x onerror=alert(1)>", "</title>", "-->", "<!--% for x in y %-->", "{{ 7 * 7 }}"),
    *("{% raw %}", "%s", "{0}", "BEGIN:VEVENT", "\r\nATTACH:http://evil.example/", "\\n", "\\,"),
    *(
        "--=_",
        "From ",
        ".",
        "a",
        "Ada",
        "Ælfgifu",
        "田中",
        "עברית",
        "😀",
        "👩‍👩‍👧‍👦" * 400,
        "x" * 1_000,
    ),
)
ANY = st.lists(st.sampled_from(FRAGMENTS), max_size=4).map("".join) | st.text(max_size=12)

LOCALS = st.sampled_from(
    [
        # As typed, and as it has to be in a command.
        *(("ada", "ada"), ("a.b+c=d", "a.b+c=d"), ("o'hara", "o'hara")),
        *(('"ada lovelace"',) * 2, ('"a@b"',) * 2, ('"a,b"',) * 2, (r'"a\"b\\"',) * 2),
        *(('"<x>"',) * 2, ('"ada"', "ada"), (r'"\a\d\a"', "ada"), ("x" * 64,) * 2),
        *(("a..b", '"a..b"'), ("a.", '"a."'), ("jörg", "jörg"), ('"ö x"', '"ö x"'), ("会員",) * 2),
    ]
)
DOMAINS = st.sampled_from(
    [
        *(("example.org", "example.org"), ("a.b.c.example", "a.b.c.example")),
        *(("bücher.example", "xn--bcher-kva.example"), ("例え.jp", "xn--r8jz45g.jp")),
        *(("BÜCHER.example", "xn--bcher-kva.example"), ("\uff45xample.org", "example.org")),
        *(("l" * 63 + ".example",) * 2, ("localhost", "localhost")),
    ]
)
#: An address as typed, and the one that SMTP is to be told.
USABLE = st.tuples(LOCALS, DOMAINS).map(
    lambda each: tuple(f"{each[0][which]}@{each[1][which]}" for which in (0, 1))
)
HOSTILE = (
    st.tuples(ANY, ANY).map("@".join)
    | ANY
    | st.tuples(ANY, USABLE).map(lambda each: each[0] + each[1][0])
)

NAMES_ONCE = Counter(
    [
        *("From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References"),
        *("Auto-Submitted", "Content-Language", "X-Jointbuy-Kind"),
        *("MIME-Version", "Content-Type"),
    ]
)
THREAD = Counter(["In-Reply-To", "References"])
UNSUBSCRIBES = Counter(["List-Unsubscribe", "List-Unsubscribe-Post"])
IN_CALENDAR = {
    *("BEGIN", "END", "VERSION", "PRODID", "METHOD", "UID", "SEQUENCE", "DTSTAMP", "DTSTART"),
    *("SUMMARY", "URL", "TRANSP", "ORGANIZER"),
}
UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def hostile(sample: Sample, email: str, text: str, other: str, *, everywhere: bool) -> Sample:
    """The sample with hostile text wherever there is text, past the schema too."""
    notice, person, of, merged = sample
    odd_id = other[:64] or "x"
    says: dict[str, Any] = {
        "product": Product.model_construct(id=odd_id, name=text or "x"),
        "problems": (Problem.model_construct(field=text, problem=other),),
        "reason": other,
        "gift": text,
        "seller_name": text,
        "words": f"{text}\n{other}",
        "payment_kind": other,
        "currency": text,
        "party_id": odd_id,
    }
    says |= dict.fromkeys(
        ("group_id", "order_id", "source", "payment_id", "application_id", "offer_id"), odd_id
    )
    if not everywhere:
        del says["payment_kind"], says["currency"]
        says = {name: each for name, each in says.items() if getattr(notice.says, name)}
    if notice.says.links:
        links = (link.model_copy(update={"name": text}) for link in notice.says.links)
        says["links"] = tuple(links)
    odd = [
        each.model_copy(
            update={
                "notice_id": text[:64] or "x",
                "about": odd_id,
                "recipient_id": odd_id,
                "says": each.says.model_copy(update=says),
            }
        )
        for each in (notice, *merged)
    ]
    if of is not None:
        typed = {"name": text or "x", "phone": other, "email": text, "delivery": other}
        of = of.model_copy(update={**typed, "postal_address": text})
    return Sample(odd[0], person, of, tuple(odd[1:])).to(
        email=email,
        name=text,
        locale=other if everywhere else person.locale,
        time_zone=text if everywhere else person.time_zone,
    )


def headers_are_ours(sample: Sample, content: bytes) -> None:
    """Read twice: by hand from the bytes, and by Python's strict parser."""
    notice, person, of, merged = sample
    address = usable(person.email)
    replies_to = email_of(of) if of is not None else None
    is_digest = len(told((notice, *merged))) > 1
    assert content.replace(address.encode(), b"").isascii(), "only To may need SMTPUTF8"
    lines = content.split(b"\r\n")
    assert not [line for line in lines if b"\r" in line or b"\n" in line or len(line) > 998]
    head = content.partition(b"\r\n\r\n")[0].decode()
    expected = NAMES_ONCE + (UNSUBSCRIBES if notice.kind in OPTIONAL_KINDS else Counter())
    expected += Counter(["Reply-To"] if replies_to else ())
    expected -= THREAD if is_digest else Counter()
    unfolded = head.replace("\r\n ", " ").split("\r\n")
    assert Counter(line.partition(":")[0] for line in unfolded) == expected
    message = BytesHeaderParser(policy=SMTP.clone(raise_on_defect=True)).parsebytes(head.encode())
    assert isinstance(message, EmailMessage)
    assert Counter(message.keys()) == expected
    (recipient,), (sender,) = message["To"].addresses, message["From"].addresses
    assert has_address(recipient, address)
    assert sender.addr_spec == SENDER.mail_from
    assert not set('<>@",;:') & set(sender.display_name)
    if replies_to:
        assert [each.addr_spec for each in message["Reply-To"].addresses] == [replies_to]
    assert not UNSEEN.search(recipient.display_name + sender.display_name + message["Subject"])
    assert len(message["Subject"]) <= 200
    # Decoded by the older parser, as the strict one keeps the spaces between encoded words.
    (line,) = (line for line in unfolded if line.startswith("To:"))
    written = line.removeprefix("To:").strip()
    bare = written == address
    assert bare or written.endswith(f"<{address}>")
    typed = "" if bare else written.removesuffix(f"<{address}>").strip()
    name = str(make_header(decode_header(typed)))
    assert name == (greetable(person.name) or "")


def parts_are_ours(content: bytes, of: Shop | Seller | None) -> None:
    """Text, HTML and perhaps a calendar, in none of which a line was added."""
    message = read(content)
    found = parts(message)
    assert set(found) <= {"text/plain", "text/html", "text/calendar"}
    assert not any(UNSEEN.search(text) for text in found.values())
    page = Page.of(html_of(message))
    assert "script" not in {tag for tag, _ in page.tags}
    images = [each["src"] for tag, each in page.tags if tag == "img"]
    assert images == ([f"{SENDER.page_url}/images/{of.logo}"] if of and of.logo else [])
    ours = (SENDER.page_url, *(links_of(of) if of else ()))
    assert all(link.startswith(ours) for link in page.links)
    calendar = found.get("text/calendar", "").replace("\n ", "")
    names = re.findall(r"^([^:;\n]*)[:;]", calendar, re.M)
    assert set(names) <= IN_CALENDAR
    assert not names or Counter(names)["UID"] == len(re.findall("^END:VEVENT$", calendar, re.M))


def examples(share: int) -> settings:
    """That part of all examples; a slow machine is no mistake of the letters."""
    return settings(max_examples=max(EXAMPLES // share, 1), deadline=None)


@pytest.mark.slow
@examples(1)
@given(st.sampled_from(SAMPLES), USABLE, ANY, ANY, st.booleans())
def test_nothing_that_people_type_becomes_a_header(
    sample: Sample, address: tuple[str, str], text: str, other: str, everywhere: bool
) -> None:
    typed, in_command = address
    sample = hostile(sample, typed, text, other, everywhere=everywhere)
    written = composed(sample, LINKS)
    assert written.recipient == in_command
    assert envelope(SENDER.mail_from, in_command).recipient == in_command
    headers_are_ours(sample, written.content)


@pytest.mark.slow
@examples(3)
@given(HOSTILE)
def test_an_address_is_one_mailbox_or_none(email: str) -> None:
    sample = hostile(SAMPLES[0], email, email, email, everywhere=False)
    try:
        written = composed(sample, LINKS)
    except AddressError:
        return
    address = written.recipient
    assert address.isprintable()
    assert envelope(SENDER.mail_from, address).recipient == address
    assert not re.search(r"[\x00-\x1f\x7f]", address)
    assert '"' in address or not re.search(r"[\s<>,;:\\]|@.*@", address)
    headers_are_ours(sample, written.content)


@pytest.mark.slow
@examples(10)
@given(st.sampled_from(SAMPLES), ANY, ANY, st.booleans())
def test_nothing_that_people_type_becomes_a_part(
    sample: Sample, text: str, other: str, everywhere: bool
) -> None:
    sample = hostile(sample, "ada@example.org", text, other, everywhere=everywhere)
    parts_are_ours(bytes(composed(sample, LINKS)), sample.of)
