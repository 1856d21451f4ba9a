"""The rules of addresses: letters go to the newest one, and an erased person gets none.

The topics of people and of notices are read independently, so a notice may come before its
person. Its letter then waits for an hour.

- The newest ``seen_at`` wins; of two equal ones, the later record. A letter that waits for its next
  try goes to the new address; a letter that has bounced stays so.
- Erasing a person deletes the address, what servers said of it, and the contents of letters.
  Letters that wait are not sent. The outcome of a letter that is at the mail server just then is
  still recorded. Wishes not to get letters stay: they hold no address.
- Letters to a person who was erased wait as others do, as a new address may come.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256

from domain.mailboxes import AddressError, usable
from runtime.rows import (
    CALLS,
    DUE,
    ROWS_PER_CALL,
    WAITING,
    Due,
    Name,
    Rows,
    drop,
    drop_some,
    next_rows,
)
from schemas import people
from schemas.letters import Notice
from schemas.parts import Message
from schemas.reasons import LetterReply
from services.notifier.rows import (
    CHUNKS,
    CONTENTS,
    ERASED,
    LETTERS,
    MERGING,
    PERSON,
    SUPPRESSED,
    Chunk,
    Erased,
    Person,
)
from services.notifier.rules.deliveries import send_or_suppress

_RELEASE, _ERASE = CHUNKS("release"), CHUNKS("erase")


def person_row(person: people.Person) -> Person:
    """A person's row."""
    return Person(
        email=person.email,
        digest=_digest(person.person_id, person.email),
        seen_at=person.seen_at,
        name=person.name,
        locale=person.locale,
        time_zone=person.time_zone,
    )


def _digest(person_id: str, email: str) -> str:
    """A hash of the address as SMTP writes it, in lower case: one for all of its spellings.

    Tags and dots stay, unlike in a canonical address: a refusal of ``ann+shop@`` is not a
    refusal of ``ann@``.
    """
    try:
        address = usable(email)
    except AddressError:
        address = email
    return sha256(f"{person_id}\x00{address.lower()}".encode()).hexdigest()[:32]


def take_person(
    message: people.Person, rows: Rows, now: datetime, *_: object, merge_for: timedelta
) -> Sequence[Message]:
    """Keep the newest address; letters that waited for it go out."""
    before = rows.get(PERSON)
    if before is not None:
        if message.seen_at >= before.seen_at:
            rows[PERSON] = person_row(message)
        return ()
    rows[PERSON] = person_row(message)
    drop(rows, ERASED)
    return release(rows, now, merge_for=merge_for)


def release(rows: Rows, now: datetime, *_: object, merge_for: timedelta) -> Sequence[Message]:
    """Send the next letters that waited for the address."""
    person = rows[PERSON]
    page = next_rows(rows, WAITING)
    for name, waiting in page:
        notice_id = WAITING.part(name)
        letter = rows[LETTERS(notice_id)]
        del rows[name], rows[DUE("address", notice_id)]
        again = replace(letter, version=letter.version + 1, at=now)
        notice = Notice.model_validate_json(rows[CONTENTS(notice_id)].notice)
        send_or_suppress(notice, again, person, rows, since=waiting.arrived_at, merge_for=merge_for)
    _go_on(_RELEASE, rows, is_over=len(page) < ROWS_PER_CALL)
    return ()


def give_up(row_name: Name[Due], rows: Rows, now: datetime, *_: object) -> Sequence[Message]:
    """No address has come in time for a letter."""
    notice_id = row_name.rpartition("/")[2]
    del rows[WAITING(notice_id)]
    _end(notice_id, LetterReply.ERASED if ERASED in rows else LetterReply.NO_ADDRESS, rows, now)
    return ()


def erase(message: people.PersonErased, rows: Rows, now: datetime, *_: object) -> Sequence[Message]:
    """Delete a person's address, and all that was to be sent there."""
    drop(rows, PERSON)
    rows[ERASED] = Erased(now)
    return erase_more(rows, now)


def erase_more(rows: Rows, now: datetime, *_: object) -> Sequence[Message]:
    """Delete the next contents of letters, and at last what servers said of the addresses."""
    page = next_rows(rows, CONTENTS)
    for name, _content in page:
        notice_id = CONTENTS.part(name)
        drop(rows, name, DUE("forget", notice_id), DUE("address", notice_id))
        if _stop(notice_id, rows):
            _end(notice_id, LetterReply.ERASED, rows, now)
    is_over = len(page) < ROWS_PER_CALL and not drop_some(rows, [SUPPRESSED, MERGING])
    _go_on(_ERASE, rows, is_over=is_over)
    return ()


def _stop(notice_id: str, rows: Rows) -> bool:
    """End a letter that waits for its address or a try. Returns whether it waited."""
    waiting, call_name = WAITING(notice_id), CALLS("letter", notice_id)
    call = rows.get(call_name)
    is_to_be_tried = call is not None and not call.owner
    if is_to_be_tried:
        del rows[call_name]
    if waiting not in rows:
        return is_to_be_tried
    del rows[waiting]
    return True


def _end(notice_id: str, reply: str, rows: Rows, now: datetime) -> None:
    letter = rows[LETTERS(notice_id)]
    rows[LETTERS(notice_id)] = replace(
        letter,
        version=letter.version + 1,
        status="suppressed",
        at=now,
        next_at=None,
        reply=reply,
    )


def _go_on(chunk: Name[Chunk], rows: Rows, *, is_over: bool) -> None:
    if is_over:
        drop(rows, chunk)
    else:
        rows[chunk] = Chunk()
