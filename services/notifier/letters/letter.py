"""Writes the letter of a notice."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Any, NamedTuple

from domain.calendar_files import Deadline, calendar_file, uid_of
from domain.mailboxes import ascii_domain, usable
from domain.unverified import greetable
from schemas.letters import OPTIONAL_KINDS, LetterKind, Notice, Says, missing
from services.notifier.letters import layout
from services.notifier.letters.figures import Figures
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
from services.notifier.rules import facts, headers
from services.notifier.rules.labels import colon

SUBJECT_MAX = 200
#: Kinds that tell a deadline which the recipient may want to keep in mind.
DEADLINE_KINDS = frozenset(
    {"id-issued", "order-counted", "deadline-reminder"}
    | {"confirm-application", "condition-improved", "right-intercepted", "invitation"}
)
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
}


class NoticeError(ValueError):
    """A notice lacks facts that letters of its kind tell, so no letter can be made of it."""


def letter(notice: Notice, person: Person, sender: Sender, links: LinkMaker) -> Letter:
    """The letter of a notice, to its recipient alone; the same arguments give the same bytes.

    Raises ``AddressError`` if no letter can go to the person's address, and ``NoticeError`` if
    the notice says too little; their texts name the cause.
    """
    address = usable(person.email)
    name = greetable(person.name) or ""
    said = notice.says.model_copy(update={"party_id": _ANYONE})
    cause = (notice.kind, notice.about, notice.at, said)
    form = _form(*cause, bool(name), Figures.of(person.locale, person.time_zone), sender, links)
    values = {_NAME: name, _ACTION: _action(notice, links)}
    if notice.kind in OPTIONAL_KINDS:
        unsubscribe = links.unsubscribe(notice.recipient_id, person.email, notice.kind)
        values[_UNSUBSCRIBE] = unsubscribe
    to = headers.mailbox_value("To", name, address)
    head = _headers(notice, form, sender, to, values.get(_UNSUBSCRIBE))
    content = _written(notice.notice_id, form, head, values)
    return Letter(content.encode(), address, dict(head)["Message-ID"])


# --- content --------------------------------------------------------------------------------------

#: Blanks in a form, for the values that differ from recipient to recipient. They are random, so
#: no text that somebody typed can hold one.
_BLANK = secrets.token_hex(16)
_NAME, _ACTION, _UNSUBSCRIBE = (f"{_BLANK}{last}" for last in "012")
_BLANKS = (_NAME, _ACTION, _UNSUBSCRIBE)
#: The party in a form: links that name the party are blanks.
_ANYONE = "anyone"


class _Form(NamedTuple):
    """The common part of letters that tell the same to people who write figures alike.

    ``calendar`` is a part, or empty.
    """

    language: str
    subject: str
    text: TextForm
    html: TextForm
    calendar: str


@lru_cache(maxsize=256)
def _form(
    kind: LetterKind,
    about: str,
    at: datetime,
    says: Says,
    is_named: bool,
    figures: Figures,
    sender: Sender,
    links: LinkMaker,
) -> _Form:
    notice = Notice.model_construct(
        notice_id="", kind=kind, recipient_id=_ANYONE, about=about, at=at, says=says
    )
    if lacks := missing(notice):
        raise NoticeError(f"a letter {kind} does not say {', '.join(lacks)}")
    content = _content(notice, _NAME if is_named else "", sender, links, figures)
    text, html = layout.rendered(_mood(notice), content)
    has_calendar = kind in DEADLINE_KINDS and facts.is_open(notice)
    return _Form(
        figures.language,
        headers.text_value("Subject", content["subject"]),
        TextForm("plain", text, _BLANKS, begin=_BLANK),
        TextForm("html", html, _BLANKS, layout.escaped, _BLANK),
        _calendar_part(notice, sender, content) if has_calendar else "",
    )


def _content(
    notice: Notice, name: str, sender: Sender, links: LinkMaker, figures: Figures
) -> dict[str, Any]:
    """The content that text and HTML show."""
    language = figures.language
    known = facts.values(notice, name, figures)
    said = layout.sentences(notice.kind, language, known)
    frame = layout.sentences("frame", language, known)
    tiles, below = facts.rows(notice, known, language)
    return {
        **frame,
        **said,
        "because": layout.paragraphs(frame["because"], language)[0],
        "language": language,
        "subject": headers.clean(said["subject"], SUBJECT_MAX),
        "lead": layout.paragraphs(said["lead"], language),
        "tiles": tiles,
        "facts": below,
        "action": {"label": said["action"], "url": _ACTION},
        "closing": layout.paragraphs(said["closing"], language),
        "colon": colon(language),
        "page": links.page(facts.room_of(notice), notice.about),
        "unsubscribe": _UNSUBSCRIBE if notice.kind in OPTIONAL_KINDS else None,
        "brand": sender.name,
        "page_url": sender.page_url,
    }


def _action(notice: Notice, links: LinkMaker) -> str:
    """Where the letter's button leads."""
    if notice.says.application_id is not None and notice.kind == "confirm-application":
        return links.confirm(notice.about, notice.says.application_id, notice.says.quantity or 0)
    if notice.kind == "confirm-order":
        return links.confirm_order(notice)
    is_payers = notice.kind in ("payment-done", "payment-failed")
    if is_payers and notice.says.role != "organizer":
        return links.payments(notice.about, notice.says.party_id, notice.says.order_id or "")
    if facts.can_counter(notice):
        return links.counter_offer(notice.about, notice.says.party_id)
    return links.page(facts.room_of(notice), notice.about)


def _mood(notice: Notice) -> Mood:
    says = notice.says
    if notice.kind == "offer-judged":
        if says.verdict == "shown":
            return "good"
        return "ask" if facts.can_counter(notice) else "bad"
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
    thread = headers.thread_id(notice.about, domain)
    optional = (
        ("List-Unsubscribe", f"<{unsubscribe}>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )
    return [
        ("From", _from(sender)),
        ("To", to),
        ("Subject", form.subject),
        ("Date", _date(notice.at)),
        ("Message-ID", headers.message_id(notice.notice_id, domain)),
        ("In-Reply-To", thread),
        ("References", thread),
        ("Auto-Submitted", "auto-generated"),
        ("Content-Language", form.language),
        ("X-Jointbuy-Kind", notice.kind),
        *(optional if unsubscribe else ()),
        ("MIME-Version", "1.0"),
    ]


@lru_cache(maxsize=64)
def _from(sender: Sender) -> str:
    return headers.mailbox_value("From", sender.name, usable(sender.mail_from))


_date = lru_cache(maxsize=1024)(format_datetime)


def _written(notice_id: str, form: _Form, head: Headers, values: Mapping[str, str]) -> str:
    """Text and HTML as alternatives, and beside them the deadline as a calendar file.

    Boundaries can't occur in a part, as no encoding that is used here has ``=_``.
    """
    parts = (form.text.part(values), form.html.part(values))
    boundary = f"=_{headers.digest(notice_id)}"
    if not form.calendar:
        return multipart("alternative", f"{boundary}_a", head, parts)
    alternatives = multipart("alternative", f"{boundary}_a", (), parts)
    return multipart("mixed", f"{boundary}_m", head, (alternatives, form.calendar))


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
