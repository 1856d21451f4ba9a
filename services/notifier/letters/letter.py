"""Writes the letter that a notice asks for."""

import base64
import binascii
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from schemas.notices import OPTIONAL_KINDS, Notice, missing
from services.notifier.letters import facts, headers, layout
from services.notifier.letters.addresses import ascii_domain, usable
from services.notifier.letters.calendar_file import Deadline, calendar_file
from services.notifier.letters.figures import Figures
from services.notifier.letters.layout import Mood
from services.notifier.letters.sender import LinkMaker, Sender
from services.notifier.letters.wording import COLON

SUBJECT_MAX = 200
#: Kinds that tell a deadline which the recipient may want to keep in mind.
DEADLINE_KINDS = frozenset(
    {"id-issued", "order-counted", "deadline-reminder"}
    | {"confirm-application", "condition-improved", "right-intercepted", "invitation"}
)
_MOODS: dict[str, Mood] = {
    "order-refused": "bad",
    "payment-failed": "bad",
    "contract-failed": "plain",
    "confirm-application": "ask",
    "right-intercepted": "ask",
    "invitation": "ask",
    "deadline-reminder": "ask",
}


class NoticeError(ValueError):
    """A notice that no letter can be made of, as it does not say what letters of its kind tell."""


def letter(notice: Notice, sender: Sender, links: LinkMaker) -> EmailMessage:
    """The letter of a notice, to its recipient alone; the same arguments give the same bytes.

    Raises ``AddressError`` when no letter can go to the recipient's address, and ``NoticeError``
    when the notice says too little; their texts say what is wrong.
    """
    address = envelope_recipient(notice)
    if lacks := missing(notice):
        raise NoticeError(f"a letter {notice.kind} does not say {', '.join(lacks)}")
    figures = Figures.of(notice.recipient)
    known = facts.values(notice, figures)
    content = _content(notice, known, sender, links, figures)
    message = EmailMessage(policy=headers.SMTP)
    _head(message, notice, sender, address, content)
    _body(message, notice, sender, content)
    return message


def envelope_recipient(notice: Notice) -> str:
    """The one address that the notice's letter goes to, as SMTP takes it.

    Raises ``AddressError`` with what is wrong when no letter can go there.
    """
    return usable(notice.recipient.email)


# --- what it says --------------------------------------------------------------------------------


def _content(
    notice: Notice,
    known: dict[str, Any],
    sender: Sender,
    links: LinkMaker,
    figures: Figures,
) -> dict[str, Any]:
    """What text and HTML show."""
    language = figures.language
    said = layout.sentences(notice.kind, language, known)
    tiles, below = facts.rows(notice, known, language)
    optional = notice.kind in OPTIONAL_KINDS
    return {
        **layout.sentences("frame", language, known),
        **said,
        "language": language,
        "subject": headers.clean(said["subject"], SUBJECT_MAX),
        "lead": layout.paragraphs(said["lead"], language),
        "tiles": tiles,
        "facts": below,
        "action": {"label": said["action"], "url": _action(notice, links)},
        "closing": layout.paragraphs(said["closing"], language),
        "colon": COLON.in_(language),
        "page": links.page(facts.room_of(notice), notice.about),
        "unsubscribe": links.unsubscribe(notice.recipient.id, notice.kind) if optional else None,
        "brand": sender.name,
        "page_url": sender.page_url,
    }


def _action(notice: Notice, links: LinkMaker) -> str:
    """Where the letter's button leads."""
    if notice.says.application_id is not None and notice.kind == "confirm-application":
        return links.confirm(notice.about, notice.says.application_id)
    if facts.can_counter(notice):
        return links.counter_offer(notice.about, notice.recipient.id)
    return links.page(facts.room_of(notice), notice.about)


def _mood(notice: Notice) -> Mood:
    says = notice.says
    if notice.kind == "offer-judged":
        if says.verdict == "shown":
            return "good"
        return "ask" if facts.can_counter(notice) else "bad"
    if notice.kind == "contract-concluded" and says.role == "seller":
        return "plain"
    if notice.kind == "favor-given" and not (says.amount or says.gift):
        return "plain"
    return _MOODS.get(notice.kind, "good")


# --- how it is written ---------------------------------------------------------------------------


def _head(
    message: EmailMessage, notice: Notice, sender: Sender, address: str, content: dict[str, Any]
) -> None:
    domain = ascii_domain(sender.domain)
    thread = headers.thread_id(notice.about, domain)
    message["From"] = headers.mailbox_value("From", sender.name, usable(sender.mail_from))
    message["To"] = headers.mailbox_value("To", notice.recipient.name or "", address)
    message["Subject"] = headers.text_value("Subject", content["subject"])
    message["Date"] = format_datetime(notice.at)
    message["Message-ID"] = headers.message_id(notice.notice_id, domain)
    message["In-Reply-To"] = thread
    message["References"] = thread
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = content["language"]
    message["X-Jointbuy-Kind"] = notice.kind
    if content["unsubscribe"]:
        message["List-Unsubscribe"] = f"<{content['unsubscribe']}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["MIME-Version"] = "1.0"


def _body(message: EmailMessage, notice: Notice, sender: Sender, content: dict[str, Any]) -> None:
    """Text and HTML as alternatives, and beside them the deadline as a calendar file.

    Boundaries can't occur in a part, as no encoding that is used here has ``=_``.
    """
    text, html = layout.rendered(_mood(notice), content)
    boundary = f"=_{headers.digest(notice.notice_id)}"
    whole = message
    if notice.kind in DEADLINE_KINDS and facts.is_open(notice):
        message["Content-Type"] = f'multipart/mixed;\r\n boundary="{boundary}_m"'
        whole = EmailMessage(policy=headers.SMTP)
        message.attach(whole)
        message.attach(_calendar_part(notice, sender, content))
    whole["Content-Type"] = f'multipart/alternative;\r\n boundary="{boundary}_a"'
    whole.attach(_text_part("plain", text))
    whole.attach(_text_part("html", html))


def _text_part(subtype: str, text: str) -> EmailMessage:
    """In the encoding that takes less room, both of which are ASCII in short lines."""
    encoded = text.encode()
    quoted = binascii.b2a_qp(encoded, istext=True)
    is_quoted = len(quoted) < len(encoded) * 4 // 3
    part = EmailMessage(policy=headers.SMTP)
    part["Content-Type"] = f'text/{subtype}; charset="utf-8"'
    part["Content-Transfer-Encoding"] = "quoted-printable" if is_quoted else "base64"
    part.set_payload((quoted if is_quoted else base64.encodebytes(encoded)).decode("ascii"))
    return part


def _calendar_part(notice: Notice, sender: Sender, content: dict[str, Any]) -> EmailMessage:
    says = notice.says
    assert says.closes_at is not None
    deadline = Deadline(
        uid=f"{headers.digest(notice.about)}-deadline@{ascii_domain(sender.domain)}",
        told_at=notice.at,
        falls_at=says.closes_at,
        summary=content["calendar_summary"],
        page=content["page"],
        organizer=usable(sender.mail_from),
        organizer_name=sender.name,
        language=content["language"],
    )
    part = EmailMessage(policy=headers.SMTP)
    part["Content-Type"] = 'text/calendar; method=PUBLISH; charset="utf-8"; name="deadline.ics"'
    part["Content-Transfer-Encoding"] = "base64"
    part["Content-Disposition"] = 'attachment; filename="deadline.ics"'
    part.set_payload(base64.encodebytes(calendar_file(deadline)).decode("ascii"))
    return part
