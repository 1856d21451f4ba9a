"""Writes the letter that a notice asks for."""

from email.utils import format_datetime
from functools import lru_cache
from typing import Any

from schemas.notices import OPTIONAL_KINDS, Notice, missing
from services.notifier.letters import facts, headers, layout
from services.notifier.letters.addresses import ascii_domain, usable
from services.notifier.letters.calendar_file import Deadline, calendar_file
from services.notifier.letters.figures import Figures
from services.notifier.letters.layout import Mood
from services.notifier.letters.sender import LinkMaker, Sender
from services.notifier.letters.wording import COLON
from services.notifier.letters.written import Letter, in_base64, multipart, part, text_part

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


def letter(notice: Notice, sender: Sender, links: LinkMaker) -> Letter:
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
    head = _headers(notice, sender, address, content)
    written = _written(notice, sender, head, content)
    return Letter(written.encode("ascii"), address, dict(head)["Message-ID"])


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


def _headers(
    notice: Notice, sender: Sender, address: str, content: dict[str, Any]
) -> list[tuple[str, str]]:
    """All but the type of the content."""
    domain = ascii_domain(sender.domain)
    thread = headers.thread_id(notice.about, domain)
    unsubscribe = content["unsubscribe"]
    optional = (
        ("List-Unsubscribe", f"<{unsubscribe}>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )
    return [
        ("From", _from(sender)),
        ("To", headers.mailbox_value("To", notice.recipient.name or "", address)),
        ("Subject", headers.text_value("Subject", content["subject"])),
        ("Date", _date(notice.at)),
        ("Message-ID", headers.message_id(notice.notice_id, domain)),
        ("In-Reply-To", thread),
        ("References", thread),
        ("Auto-Submitted", "auto-generated"),
        ("Content-Language", content["language"]),
        ("X-Jointbuy-Kind", notice.kind),
        *(optional if unsubscribe else ()),
        ("MIME-Version", "1.0"),
    ]


@lru_cache(maxsize=64)
def _from(sender: Sender) -> str:
    return headers.mailbox_value("From", sender.name, usable(sender.mail_from))


_date = lru_cache(maxsize=1024)(format_datetime)


def _written(
    notice: Notice, sender: Sender, head: list[tuple[str, str]], content: dict[str, Any]
) -> str:
    """Text and HTML as alternatives, and beside them the deadline as a calendar file.

    Boundaries can't occur in a part, as no encoding that is used here has ``=_``.
    """
    text, html = layout.rendered(_mood(notice), content)
    parts = (text_part("plain", text), text_part("html", html))
    boundary = f"=_{headers.digest(notice.notice_id)}"
    if notice.kind not in DEADLINE_KINDS or not facts.is_open(notice):
        return multipart("alternative", f"{boundary}_a", head, parts)
    alternatives = multipart("alternative", f"{boundary}_a", (), parts)
    deadline = _calendar_part(notice, sender, content)
    return multipart("mixed", f"{boundary}_m", head, (alternatives, deadline))


def _calendar_part(notice: Notice, sender: Sender, content: dict[str, Any]) -> str:
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
    head = (
        ("Content-Type", 'text/calendar; method=PUBLISH; charset="utf-8"; name="deadline.ics"'),
        ("Content-Transfer-Encoding", "base64"),
        ("Content-Disposition", 'attachment; filename="deadline.ics"'),
    )
    return part(head, in_base64(calendar_file(deadline)))
