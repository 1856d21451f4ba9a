"""The rows of a recipient, and the fact that a letter's row stands for.

- ``person``: the recipient's address; the only row with it. ``erased``: the recipient was erased,
  and no address came since.
- ``letter/<notice_id>``: what became of a letter.
- ``content/<notice_id>``: its notice, for as long as it may be sent again by hand.
- ``merging/<kind>`` or ``merging/<kind>/<about>``: the letter that the next notice joins.
- ``preference/<kind or all>/<mailbox, or nothing>``: whether such letters are wanted there.
- ``suppressed/<digest>``: an address without a mailbox, and the server's reply that says so.
- ``waiting/<notice_id>``: its letter waits for the recipient's address.

A letter to be sent has a ``call/letter/<notice_id>`` row beside it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from runtime.rows import CALLS, Call, Name, Rows, Single, Table
from schemas.auctions import Seller
from schemas.letters import Delivery, DeliveryStatus, LetterKind, Notice
from schemas.shops import Shop
from services.notifier.rules.verdicts import Verdict


@dataclass(slots=True)
class Person:
    """Where a person's letters go, and how they are written; see ``schemas.people.Person``.

    ``digest`` is a hash of the address, the same for all its spellings.
    """

    email: str
    digest: str
    seen_at: datetime
    name: str | None = None
    locale: str | None = None
    time_zone: str | None = None


@dataclass(slots=True)
class Erased:
    """When a person was erased."""

    at: datetime


@dataclass(slots=True)
class Chunk:
    """The cursor of a chunk that needs none: each pass takes the next rows."""


@dataclass(slots=True)
class Letter:
    """A letter, and how the tries to send it went."""

    version: int
    kind: LetterKind
    about: str
    status: DeliveryStatus
    attempts: int
    ambiguous: int
    queued_at: datetime
    at: datetime
    #: The sum of the pauses after its tries, without the time that the server was down.
    waited_seconds: float = 0.0
    next_at: datetime | None = None
    reply: str | None = None
    message_id: str | None = None


@dataclass(slots=True)
class Content:
    """A ``Notice`` as JSON, and the ids of those that its letter tells too, by arrival."""

    notice: str
    merged: tuple[str, ...] = ()


@dataclass(slots=True)
class Merging:
    """The notice whose letter waits a while for others of its kind."""

    notice_id: str


@dataclass(slots=True)
class Preference:
    """The latest word of a recipient."""

    wanted: bool
    at: datetime


@dataclass(slots=True)
class Suppressed:
    """What a server said, and when."""

    reply: str
    since: datetime


@dataclass(slots=True)
class Request:
    """A letter to send: its notices, whom it goes to, and since when it is wanted.

    The first notice's id is the letter's. ``sold_by`` is who sells what a single notice is about.
    ``unwanted`` is why the letter is not wanted any more; empty if it is.
    """

    notices: tuple[Notice, ...]
    person: Person
    wanted_at: datetime
    sold_by: Shop | Seller | None = None
    unwanted: str = ""


@dataclass(slots=True)
class Reply:
    """What came of it.

    ``stage`` is how far the dialogue went: ``connect``, ``login``, ``mail``, ``rcpt`` or ``data``;
    ``write`` when there was nothing to send. ``verdict`` is the meaning of a server's refusal.
    ``too-late``: its date has passed. ``unwanted``: the recipient does not want it, or the address
    was refused since. ``erased``: the person was erased since. ``is_open``: it may
    have been delivered, though the server has not said so. ``digest`` is that of the address, and
    ``text`` names no address.
    """

    outcome: Literal["sent", "deferred", "bounced", "too-late", "unwanted", "erased"]
    stage: str
    text: str
    message_id: str | None = None
    verdict: Verdict | None = None
    is_open: bool = False
    digest: str = ""


#: The server of all letters.
MAIL_SERVER = "the mail server"


def mail_server(row_name: str, rows: Rows) -> str:
    """The server that a letter goes to."""
    return MAIL_SERVER


def letter_name(notice_id: str) -> Name[Letter]:
    """The name of a letter's row."""
    return LETTERS(notice_id)


def content_name(notice_id: str) -> Name[Content]:
    """The name of the row of a letter's notice."""
    return CONTENTS(notice_id)


def preference_name(kind: str, mailbox: str | None) -> Name[Preference]:
    """The name of a preference's row; without a mailbox it is for all of the recipient's."""
    return PREFERENCES(kind, mailbox or "")


def call_name(notice_id: str) -> Name[Call]:
    """The name of the row that asks for a letter to be sent."""
    return CALLS("letter", notice_id)


def delivery(name: Name[Letter], rows: Rows) -> Delivery:
    """The fact that a ``letter`` row stands for."""
    letter = rows[name]
    return Delivery(
        recipient_id=rows.key,
        notice_id=name.partition("/")[2],
        kind=letter.kind,
        about=letter.about,
        status=letter.status,
        attempts=letter.attempts,
        ambiguous=letter.ambiguous,
        reply=letter.reply,
        message_id=letter.message_id,
        queued_at=letter.queued_at,
        at=letter.at,
        next_at=letter.next_at,
        version=letter.version,
    )


#: The tables of the service.
PERSON = Single("person", Person)
ERASED = Single("erased", Erased)
LETTERS = Table("letter", Letter)
CONTENTS = Table("content", Content)
MERGING = Table("merging", Merging)
PREFERENCES = Table("preference", Preference)
SUPPRESSED = Table("suppressed", Suppressed)
CHUNKS = Table("chunk", Chunk)
