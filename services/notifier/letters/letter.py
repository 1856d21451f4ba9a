"""Writes the letter of a notice, or of several that were merged."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from domain.calendar_files import Deadline, calendar_file, uid_of
from domain.mailboxes import ascii_domain, usable
from domain.unverified import greetable
from papers.codes import png_of
from papers.transfer import Transfer
from schemas.auctions import Seller
from schemas.letters import OPTIONAL_KINDS, LetterKind, Notice, Says, missing
from schemas.shops import Shop
from services.notifier.letters import imprint, items, layout
from services.notifier.letters.enclosed import Enclosed, account, to_pay
from services.notifier.letters.figures import Figures
from services.notifier.letters.items import Item
from services.notifier.letters.layout import Mood
from services.notifier.letters.sender import LinkMaker, Sender
from services.notifier.letters.written import (
    Headers,
    Letter,
    TextForm,
    in_base64,
    multipart,
    part,
)
from services.notifier.rows import Person
from services.notifier.rules import businesses, facts, headers, merging
from services.notifier.rules.labels import colon

SUBJECT_MAX = 200
#: Kinds that tell a deadline which the recipient may want to keep in mind.
DEADLINE_KINDS = frozenset(
    {"id-issued", "order-counted", "deadline-reminder"}
    | {"confirm-application", "condition-improved", "right-intercepted", "invitation"}
)
#: Kinds that tell buyers the number under which the organizer sees them.
_NUMBERED = frozenset({"order-counted", "favor-given"})
_MOODS: dict[str, Mood] = {
    "order-refused": "bad",
    "payment-failed": "bad",
    "application-refused": "bad",
    "contract-failed": "plain",
    "confirm-application": "ask",
    "confirm-order": "ask",
    "right-intercepted": "ask",
    "invitation": "ask",
    "deadline-reminder": "ask",
    "order-waits": "ask",
    "group-message": "plain",
    "links-again": "plain",
    "data-link": "plain",
}
#: Letters that are about a person: no page is of one.
_WITHOUT_PAGE: Final[frozenset[LetterKind]] = frozenset(
    {"links-again", "data-link", "seller-standing"}
)
#: Templates of letters that tell several notices of a kind.
_OF_SEVERAL: dict[LetterKind, str] = {
    "invitation": "invitations",
    "offer-judged": "offers-judged",
}
_MOOD_OF_SEVERAL: Mood = "ask"


class NoticeError(ValueError):
    """A notice lacks facts that letters of its kind tell, so no letter can be made of it."""


def letter(
    notice: Notice,
    person: Person,
    sender: Sender,
    links: LinkMaker,
    of: Shop | Seller | None = None,
    paper: Enclosed | None = None,
) -> Letter:
    """The letter of a notice, to its recipient alone; the same arguments give the same bytes.

    ``of`` is who sells what it is about. ``paper`` is that of an invoice or a credit note.

    Raises ``AddressError`` if no letter can go to the person's address, and ``NoticeError`` if the
    notice says too little; their texts name the cause.
    """
    figures, is_named = _reads(person)
    own = {"party_id": _ANYONE}
    if _can_withdraw(notice):
        own["application_id"] = _ANYONE
    number = _NUMBER if _buyer_number(notice, links) else ""
    said = notice.says.model_copy(update=own)
    if notice.kind == "links-again":
        listed = items.held(notice, person.email, links, figures.language)
        form = _form_of(notice, is_named, figures, sender, links, listed=listed)
    else:
        cause = (notice.kind, notice.about, notice.at, said)
        enclosure = _Enclosure(paper.transfer, paper.is_attached) if paper else _NOTHING
        form = _form(*cause, is_named, number, figures, sender, links, of, enclosure)
    return _letter(notice, form, person, sender, links, of, paper)


def letter_of(
    notice_id: str,
    notices: Sequence[Notice],
    person: Person,
    sender: Sender,
    links: LinkMaker,
    of: Shop | Seller | None = None,
    paper: Enclosed | None = None,
) -> Letter:
    """The one letter of notices of a kind that were merged into this one's letter.

    No kind that is merged has a ``paper``. Raises as ``letter`` does.
    """
    told = merging.told(notices)
    newest = told[-1].model_copy(update={"notice_id": notice_id})
    if len(told) == 1:
        return letter(newest, person, sender, links, of, paper)
    figures, is_named = _reads(person)
    listed = items.digest(told, figures, lambda notice: _action(notice, links, None, person.email))
    form = _form_of(newest, is_named, figures, sender, links, listed=listed)
    return _letter(newest, form, person, sender, links, None)


def _reads(person: Person) -> tuple[Figures, bool]:
    """How a person writes figures, and whether a letter greets by name."""
    return Figures.of(person.locale, person.time_zone), greetable(person.name) is not None


def _letter(
    notice: Notice,
    form: "_Form",
    person: Person,
    sender: Sender,
    links: LinkMaker,
    of: Shop | Seller | None,
    paper: Enclosed | None = None,
) -> Letter:
    """A form with its blanks filled in for a person. Raises ``AddressError``."""
    address = usable(person.email)
    name = greetable(person.name) or ""
    values = {_NAME: name, _ACTION: _action(notice, links, of, person.email)}
    if notice.kind in OPTIONAL_KINDS:
        unsubscribe = links.unsubscribe(notice.recipient_id, person.email, notice.kind)
        values[_UNSUBSCRIBE] = unsubscribe
    if _has_second(notice):
        values[_SECOND] = _second(notice, links)
    if number := _buyer_number(notice, links):
        values[_NUMBER] = number
    to = headers.mailbox_value("To", name, address)
    head = _headers(notice, form, sender, to, values.get(_UNSUBSCRIBE))
    pdf = _pdf_part(paper) if paper and paper.is_attached else ""
    content = _written(notice.notice_id, form, head, values, pdf)
    return Letter(content.encode(), address, dict(head)["Message-ID"])


# --- content --------------------------------------------------------------------------------------

#: Blanks in a form, for the values that differ from recipient to recipient. They are random, so
#: no text that somebody typed can hold one.
_BLANK = secrets.token_hex(16)
_NAME, _ACTION, _UNSUBSCRIBE, _SECOND, _NUMBER = (f"{_BLANK}{last}" for last in "01234")
_BLANKS = (_NAME, _ACTION, _UNSUBSCRIBE, _SECOND, _NUMBER)
#: The party in a form, and the reservation: links that name them are blanks.
_ANYONE = "anyone"


class _Form(NamedTuple):
    """The common part of letters that tell the same to people who write figures alike.

    ``code`` and ``calendar`` are parts, or empty, and ``reply_to`` is a header's value, or empty. A
    digest is in no thread, as it is about several auctions.
    """

    language: str
    subject: str
    from_: str
    reply_to: str
    text: TextForm
    html: TextForm
    code: str
    calendar: str
    is_digest: bool


class _Enclosure(NamedTuple):
    """What sentences need to know of the enclosed paper."""

    transfer: Transfer | None
    is_attached: bool


_NOTHING = _Enclosure(None, is_attached=False)


@lru_cache(maxsize=256)
def _form(
    kind: LetterKind,
    about: str,
    at: datetime,
    says: Says,
    is_named: bool,
    number: str,
    figures: Figures,
    sender: Sender,
    links: LinkMaker,
    of: Shop | Seller | None,
    enclosure: _Enclosure,
) -> _Form:
    notice = Notice.model_construct(
        notice_id="", kind=kind, recipient_id=_ANYONE, about=about, at=at, says=says
    )
    return _form_of(notice, is_named, figures, sender, links, of, number, enclosure=enclosure)


def _form_of(
    notice: Notice,
    is_named: bool,
    figures: Figures,
    sender: Sender,
    links: LinkMaker,
    of: Shop | Seller | None = None,
    number: str = "",
    listed: Sequence[Item] = (),
    enclosure: _Enclosure = _NOTHING,
) -> _Form:
    if lacks := missing(notice):
        raise NoticeError(f"a letter {notice.kind} does not say {', '.join(lacks)}")
    name = _NAME if is_named else ""
    content = _content(notice, name, number, sender, links, figures, of, listed, enclosure)
    is_digest = notice.kind in _OF_SEVERAL and bool(listed)
    text, html = layout.rendered(_MOOD_OF_SEVERAL if is_digest else _mood(notice), content)
    has_calendar = notice.kind in DEADLINE_KINDS and facts.is_open(notice) and not is_digest
    return _Form(
        figures.language,
        headers.text_value("Subject", content["subject"]),
        headers.mailbox_value("From", content["heading"], usable(sender.mail_from)),
        _reply_to(of),
        TextForm("plain", text, _BLANKS, begin=_BLANK),
        TextForm("html", html, _BLANKS, layout.escaped, _BLANK),
        _code_part(enclosure, sender),
        _calendar_part(notice, sender, content) if has_calendar else "",
        is_digest,
    )


def _content(
    notice: Notice,
    name: str,
    number: str,
    sender: Sender,
    links: LinkMaker,
    figures: Figures,
    of: Shop | Seller | None,
    listed: Sequence[Item],
    enclosure: _Enclosure,
) -> dict[str, Any]:
    """The content that text and HTML show; ``code`` names the picture of a QR code."""
    language = figures.language
    is_digest = notice.kind in _OF_SEVERAL and bool(listed)
    presented = imprint.presented(of, sender, language)
    known = {
        **facts.values(notice, name, figures, of, number),
        "is_attached": enclosure.is_attached,
        "issuer": _other_issuer(enclosure.transfer, of),
        "is_digest": is_digest,
        "number_listed": len(listed),
        "brand": sender.name,
        "replies_reach_seller": bool(_reply_to(of)),
    }
    said = layout.sentences(_OF_SEVERAL[notice.kind] if is_digest else notice.kind, language, known)
    frame = layout.sentences("frame", language, known)
    tiles, below = ([], []) if is_digest else facts.rows(notice, known, language)
    transfer, code = enclosure.transfer, None
    if transfer is not None:
        tiles = [*to_pay(transfer, figures), *tiles]
        below = [*account(transfer, figures), *below]
        code = transfer.code and _code_name(transfer, sender)
    has_page = not is_digest and notice.kind not in _WITHOUT_PAGE
    return {
        **frame,
        **said,
        "because": layout.paragraphs(frame["because"], language)[0],
        "language": language,
        "subject": headers.clean(said["subject"], SUBJECT_MAX),
        "lead": layout.paragraphs(said["lead"], language),
        "quote": facts.words(notice),
        "tiles": tiles,
        "facts": below,
        "code": code,
        "items": listed,
        "action": {"label": said["action"], "url": _ACTION} if said["action"] else None,
        "closing": layout.paragraphs(said["closing"], language),
        "colon": colon(language),
        "page": links.page(facts.room_of(notice), notice.about) if has_page else None,
        "second": {"label": said["second"], "url": _SECOND} if _has_second(notice) else None,
        "unsubscribe": _UNSUBSCRIBE if notice.kind in OPTIONAL_KINDS else None,
        "brand": sender.name,
        "page_url": sender.page_url,
        **presented,
    }


def _has_second(notice: Notice) -> bool:
    """Whether the letter has a second button; its template has the words, ``second``."""
    return _can_withdraw(notice) or facts.takes_orders_by_link(notice)


def _second(notice: Notice, links: LinkMaker) -> str:
    """Where the letter's second button leads."""
    if _can_withdraw(notice):
        return links.application(notice.about, notice.says.application_id or "")
    return links.order(notice.about, "")


def _can_withdraw(notice: Notice) -> bool:
    """Whether the letter has the link that takes its reservation back."""
    is_told = notice.kind == "condition-improved" and notice.says.application_id is not None
    return is_told and facts.is_open(notice)


def _buyer_number(notice: Notice, links: LinkMaker) -> str | None:
    """The number by which buyers find themselves in the organizer's list, where it helps."""
    if notice.kind not in _NUMBERED or notice.says.role == "organizer":
        return None
    return links.buyer_number(notice.about, notice.says.party_id)


def _other_issuer(transfer: Transfer | None, of: Shop | Seller | None) -> str | None:
    """Who issues the invoice and is paid, if that is not who sells."""
    is_other = transfer is not None and of is not None and transfer.payee != of.name
    return transfer.payee if transfer is not None and is_other else None


def _action(notice: Notice, links: LinkMaker, of: Shop | Seller | None, email: str) -> str:
    """Where the letter's button leads."""
    says = notice.says
    is_paid_here = notice.kind == "order-waits" and says.method != "shop"
    is_payers = is_paid_here or notice.kind in ("payment-done", "payment-failed")
    if of is not None and (link := businesses.order_link(notice, of)):
        url = link
    elif notice.kind == "confirm-application" and says.application_id is not None:
        url = links.confirm(notice.about, says.application_id, says.quantity or 0)
    elif notice.kind == "confirm-order":
        url = links.confirm_order(notice)
    elif notice.kind == "id-issued" and says.role == "organizer":
        url = links.organizer(notice.about, says.party_id)
    elif is_payers and says.role != "organizer":
        order_id, person_id = says.order_id or "", notice.recipient_id
        url = links.payments(notice.about, says.party_id, order_id, person_id)
    elif notice.kind == "seller-standing":
        url = links.desk()
    elif notice.kind == "data-link":
        url = links.data(notice.recipient_id, email)
    elif facts.can_counter(notice):
        url = links.counter_offer(notice.about, says.party_id)
    else:
        url = links.page(facts.room_of(notice), notice.about)
    return url


def _mood(notice: Notice) -> Mood:
    says = notice.says
    if notice.kind == "offer-judged":
        if says.verdict == "shown":
            return "good"
        return "ask" if facts.can_counter(notice) else "bad"
    if notice.kind == "seller-standing":
        return "good" if says.standing == "good" else "bad"
    if notice.kind == "contract-concluded" and says.role == "seller":
        return "plain"
    if notice.kind == "favor-given" and (says.is_cancelled or not (says.amount or says.gift)):
        return "plain"
    return _MOODS.get(notice.kind, "good")


# --- form -----------------------------------------------------------------------------------------


def _headers(
    notice: Notice, form: _Form, sender: Sender, to: str, unsubscribe: str | None
) -> list[tuple[str, str]]:
    """All but the type of the content."""
    domain = ascii_domain(sender.domain)
    thread = "" if form.is_digest else headers.thread_id(notice.about, domain)
    optional = (
        ("List-Unsubscribe", f"<{unsubscribe}>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )
    return [
        ("From", form.from_),
        *((("Reply-To", form.reply_to),) if form.reply_to else ()),
        ("To", to),
        ("Subject", form.subject),
        ("Date", _date(notice.at)),
        ("Message-ID", headers.message_id(notice.notice_id, domain)),
        *((("In-Reply-To", thread), ("References", thread)) if thread else ()),
        ("Auto-Submitted", "auto-generated"),
        ("Content-Language", form.language),
        ("X-Jointbuy-Kind", notice.kind),
        *(optional if unsubscribe else ()),
        ("MIME-Version", "1.0"),
    ]


def _reply_to(of: Shop | Seller | None) -> str:
    """The seller's address as the header's value; empty if it is not known."""
    email = businesses.email_of(of) if of is not None else None
    return headers.mailbox_value("Reply-To", "", email) if email else ""


_date = lru_cache(maxsize=1024)(format_datetime)


def _written(
    notice_id: str, form: _Form, head: Headers, values: Mapping[str, str], pdf: str
) -> str:
    """Text and HTML as alternatives, and beside them the deadline as a calendar file, or a paper.

    Boundaries can't occur in a part, as no encoding that is used here has ``=_``.
    """
    boundary = f"=_{headers.digest(notice_id)}"
    html = form.html.part(values)
    if form.code:
        html = multipart("related", f"{boundary}_r", (), (html, form.code))
    parts = (form.text.part(values), html)
    beside = [each for each in (form.calendar, pdf) if each]
    if not beside:
        return multipart("alternative", f"{boundary}_a", head, parts)
    alternatives = multipart("alternative", f"{boundary}_a", (), parts)
    return multipart("mixed", f"{boundary}_m", head, (alternatives, *beside))


def _pdf_part(paper: Enclosed) -> str:
    head = (
        ("Content-Type", f'application/pdf;\r\n name="{paper.name}"'),
        ("Content-Transfer-Encoding", "base64"),
        ("Content-Disposition", f'attachment;\r\n filename="{paper.name}"'),
    )
    return part(head, in_base64(paper.pdf))


def _code_name(transfer: Transfer, sender: Sender) -> str:
    """The ``Content-ID`` of a QR code's picture (RFC 2392), without its brackets."""
    return f"code.{headers.digest(transfer.reference)}@{ascii_domain(sender.domain)}"


def _code_part(enclosure: _Enclosure, sender: Sender) -> str:
    """The picture of a QR code, or nothing. Mail programs do not show one that stands in HTML."""
    transfer = enclosure.transfer
    if transfer is None or transfer.code is None:
        return ""
    head = (
        ("Content-Type", 'image/png; name="code.png"'),
        ("Content-Transfer-Encoding", "base64"),
        ("Content-ID", f"<{_code_name(transfer, sender)}>"),
        ("Content-Disposition", 'inline; filename="code.png"'),
    )
    return part(head, in_base64(png_of(transfer.code)))


def _calendar_part(notice: Notice, sender: Sender, content: dict[str, Any]) -> str:
    says = notice.says
    assert says.closes_at is not None
    deadline = Deadline(
        uid=uid_of(notice.about, ascii_domain(sender.domain)),
        told_at=notice.at,
        falls_at=says.closes_at,
        summary=content["calendar_summary"],
        page=content["page"],
        organizer=usable(sender.mail_from),
        organizer_name=sender.name,
        language=content["language"],
    )
    head = (
        ("Content-Type", 'text/calendar; method=PUBLISH; charset="utf-8"; name="deadline.ics"'),
        ("Content-Transfer-Encoding", "base64"),
        ("Content-Disposition", 'attachment; filename="deadline.ics"'),
    )
    return part(head, in_base64(calendar_file(deadline)))
