"""The rules of letters: each is sent once, tried again with growing pauses, given up after days.

Where the design is silent, the reading that loses nothing:

- A letter is known by its notice's id; a notice that comes again changes nothing.
- Some optional letters wait a few minutes, and several notices become one letter (``merging``).
  Preferences and refused addresses are looked at again when it is sent.
- If the server can't be reached or refuses the login, letters wait without a try until it works
  again (``runtime.breaker``). A 4xx to the letter makes its own pauses grow, and so does a 5xx
  about the sender.
- A letter is given up when its own pauses were three days in all. The time that the server was down
  does not count, as no letter was tried. A letter that was never tried is given up after thirty
  days.
- A letter without an address waits an hour for one (``rules/people``). It is written for each try
  anew, so it goes to the newest address.
- An answer that the mailbox does not exist suppresses the address: letters to it are not tried
  until ops resend one, which lifts that. Any other 5xx ends its letter alone, or makes it wait
  where it is about us. A letter that is given up after days suppresses nothing.
- Letters that are part of a contract go to a suppressed address no more than others.
- After thirty days a letter can't be sent again by hand; that it was sent is known for good.
- A notice that was merged and is sent again by hand has a letter of its own.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from domain.ids import ids_in
from runtime.rows import DUE, WAITING, Call, Due, Name, Rows, Waiting, drop, spread_pause
from schemas.letters import (
    OPTIONAL_KINDS,
    LetterKind,
    LetterResend,
    Notice,
    Preference,
    Unsubscribed,
    mailbox_of,
)
from schemas.parts import Message
from schemas.reasons import LetterReply
from services.notifier.rows import (
    PERSON,
    SUPPRESSED,
    Content,
    Letter,
    Person,
    Reply,
    Request,
    Suppressed,
    call_name,
    content_name,
    letter_name,
    preference_name,
)
from services.notifier.rows import Preference as PreferenceRow
from services.notifier.rules import merging
from services.notifier.rules.businesses import Sellers, Shops, sold_by

TRIED_FOR = timedelta(days=3)
#: How long a letter waits for its recipient's address.
ADDRESS_WAIT = timedelta(hours=1)
KEPT_FOR = timedelta(days=30)
#: Pause before the next look at a letter that is being sent.
KEPT_STEP = timedelta(days=1)
#: Pauses after the first, the second, … 4xx or 5xx about us; the last for all further ones.
PAUSES = tuple(timedelta(minutes=each) for each in (1, 5, 15, 30, 60, 120, 240))


# --- what comes in -------------------------------------------------------------------------------


def take_notice(
    message: Notice, rows: Rows, now: datetime, *_: object, merge_for: timedelta
) -> Sequence[Message]:
    """Queue a letter once, unless its recipient does not want it or the address is suppressed.

    ``merge_for`` is how long letters wait for others of their kind; 0: not at all.
    """
    name = letter_name(message.notice_id)
    if name in rows:
        return ()
    rows[content_name(message.notice_id)] = Content(message.model_dump_json(exclude_none=True))
    rows[DUE("forget", message.notice_id)] = Due(now + KEPT_FOR)
    letter = Letter(
        version=1,
        kind=message.kind,
        about=message.about,
        status="queued",
        attempts=0,
        ambiguous=0,
        queued_at=now,
        at=now,
    )
    person = rows.get(PERSON)
    if person is None:
        rows[name] = letter
        _wait_for_address(message.notice_id, rows, now)
    else:
        send_or_suppress(message, letter, person, rows, since=now, merge_for=merge_for)
    return ()


def send_or_suppress(
    notice: Notice,
    letter: Letter,
    person: Person,
    rows: Rows,
    *,
    since: datetime,
    merge_for: timedelta,
) -> None:
    """Have a letter sent, unless the person does not want it or the address is suppressed.

    The letter is queued as of its ``at``; ``since`` is when it was first wanted. It may join one
    that waits, or wait for others itself.
    """
    name, now = letter_name(notice.notice_id), letter.at
    if reason := _reason_to_suppress(letter.kind, person, rows):
        rows[name] = replace(letter, status="suppressed", reply=reason)
        return
    merges = merging.can_merge(notice.kind) and bool(merge_for)
    if merges and (first := merging.join(notice, rows, now, merge_for)):
        rows[name] = replace(letter, status="suppressed", reply=f"{LetterReply.MERGED} {first}")
        return
    rows[name] = letter
    pause = merging.pause(notice, now, merge_for) if merges else timedelta(0)
    rows[call_name(notice.notice_id)] = Call(at=now + pause, since=since)
    if merges:
        merging.begin(notice, rows)


def _wait_for_address(notice_id: str, rows: Rows, now: datetime) -> None:
    until = now + ADDRESS_WAIT
    # The notice is in the row of the letter's content.
    rows[WAITING(notice_id)] = Waiting(type="Notice", message="", arrived_at=now, until=until)
    rows[DUE("address", notice_id)] = Due(until)


def take_preference(
    message: Preference, rows: Rows, now: datetime, *_: object
) -> Sequence[Message]:
    """Keep the latest word, by its own time; letters that wait for another try go by it too."""
    name = preference_name(message.kind, message.mailbox)
    before = rows.get(name)
    if before is None or message.at >= before.at:
        rows[name] = PreferenceRow(wanted=not isinstance(message, Unsubscribed), at=message.at)
    return ()


def resend(message: LetterResend, rows: Rows, now: datetime, *_: object) -> Sequence[Message]:
    """Send a letter again now, whatever became of it; its address is tried again too."""
    name = letter_name(message.notice_id)
    letter = rows.get(name)
    if letter is None or content_name(message.notice_id) not in rows:
        return ()
    rows[name] = replace(
        letter,
        version=letter.version + 1,
        status="queued",
        at=now,
        waited_seconds=0.0,
        next_at=None,
    )
    person = rows.get(PERSON)
    if person is None:
        _wait_for_address(message.notice_id, rows, now)
    else:
        drop(rows, SUPPRESSED(person.digest))
        rows[call_name(message.notice_id)] = Call(at=now, since=now)
    return ()


def forget(row_name: Name[Due], rows: Rows, now: datetime, *_: object) -> Sequence[Message]:
    """Delete a letter's content and keep its outcome.

    A letter that still waits is given up, unless somebody asked for it since. A notice is kept as
    long as the letter that tells it waits.
    """
    notice_id = row_name.rpartition("/")[2]
    first = merging.first_of(rows[letter_name(notice_id)])
    if WAITING(notice_id) in rows or call_name(first) in rows or WAITING(first) in rows:
        rows[row_name] = Due(now + KEPT_STEP)
        return ()
    call = rows.get(call_name(notice_id))
    if call is not None and (call.owner or call.since + KEPT_FOR > now):
        rows[row_name] = Due(now + KEPT_STEP if call.owner else call.since + KEPT_FOR)
        return ()
    if call is not None:
        del rows[call_name(notice_id)]
        letter = rows[letter_name(notice_id)]
        merging.end(notice_id, letter, rows)
        rows[letter_name(notice_id)] = replace(
            letter,
            version=letter.version + 1,
            status="bounced",
            at=now,
            next_at=None,
            reply=f"{LetterReply.GIVEN_UP} after {KEPT_FOR.days} days:"
            f" {letter.reply or 'it was never tried'}",
        )
    del rows[content_name(notice_id)]
    return ()


# --- what goes out -------------------------------------------------------------------------------


def request(
    row_name: Name[Call], rows: Rows, now: datetime, shops: Shops, sellers: Sellers
) -> Request | None:
    """What the mailer is to send; ``None`` if the person was erased while it was under way."""
    notice_id = row_name.rpartition("/")[2]
    content = rows.get(content_name(notice_id))
    if content is None:
        return None
    others = (rows.get(content_name(each)) for each in content.merged)
    notices = [
        Notice.model_validate_json(each.notice) for each in (content, *others) if each is not None
    ]
    letter, since = rows[letter_name(notice_id)], rows[row_name].since
    is_asked_for_again = since > letter.queued_at
    person = rows[PERSON]
    return Request(
        notices=tuple(notices),
        person=person,
        wanted_at=since,
        sold_by=sold_by(max(notices, key=lambda notice: notice.at), shops, sellers),
        unwanted="" if is_asked_for_again else _reason_to_suppress(letter.kind, person, rows),
    )


def about(request: Request) -> dict[str, str]:
    """The fields of log lines and traces about the sending of a letter."""
    notice = request.notices[0]
    return {"letter": notice.kind, "notice_id": notice.notice_id, **ids_in(notice.about)}


def settle(
    row_name: Name[Call], reply: Reply, rows: Rows, now: datetime, *_: object
) -> Sequence[Message]:
    """Record what became of a try; another is due later unless that was for good."""
    notice_id = row_name.rpartition("/")[2]
    name = letter_name(notice_id)
    call = rows[row_name]
    letter = rows[name]
    is_erased = content_name(notice_id) not in rows
    tried = replace(
        letter,
        version=letter.version + 1,
        attempts=letter.attempts + 1,
        ambiguous=letter.ambiguous + call.ambiguous,
        at=now,
        next_at=None,
        reply=reply.text,
        message_id=reply.message_id or letter.message_id,
    )
    del rows[row_name]
    merging.end(notice_id, letter, rows)
    if reply.outcome == "sent":
        rows[name] = replace(tried, status="sent")
    elif reply.outcome in ("too-late", "unwanted", "erased"):
        rows[name] = replace(tried, status="suppressed", attempts=letter.attempts)
    elif reply.outcome == "bounced":
        rows[name] = replace(tried, status="bounced")
        if reply.verdict == "gone" and not is_erased:
            rows[SUPPRESSED(reply.digest)] = Suppressed(reply=reply.text, since=now)
    elif is_erased:
        rows[name] = replace(tried, status="suppressed", reply=LetterReply.ERASED)
    elif reason := _reason_to_suppress(letter.kind, rows[PERSON], rows):
        rows[name] = replace(tried, status="suppressed", reply=reason)
    else:
        wait = spread_pause(notice_id, tried.attempts, PAUSES)
        waited = timedelta(seconds=letter.waited_seconds) + wait
        if waited > TRIED_FOR:
            given_up = f"{LetterReply.GIVEN_UP} after {TRIED_FOR.days} days: {reply.text}"
            rows[name] = replace(tried, status="bounced", reply=given_up)
        else:
            rows[name] = replace(
                tried,
                status="deferred",
                next_at=now + wait,
                waited_seconds=waited.total_seconds(),
            )
            rows[row_name] = Call(at=now + wait, since=call.since, ambiguous=reply.is_open)
    return ()


def _reason_to_suppress(kind: LetterKind, person: Person, rows: Rows) -> str:
    if kind in OPTIONAL_KINDS:
        for each in (kind, "all"):
            if _is_unwanted(each, person.email, rows):
                reply = LetterReply.UNSUBSCRIBED
                return reply if each == "all" else f"{reply} from {each}"
    suppressed = rows.get(SUPPRESSED(person.digest))
    return f"the address was refused: {suppressed.reply}" if suppressed else ""


def _is_unwanted(kind: str, address: str, rows: Rows) -> bool:
    """Whether the latest preference for letters of a kind to an address is to stop them."""
    names = (preference_name(kind, None), preference_name(kind, mailbox_of(rows.key, address)))
    words: list[PreferenceRow] = [rows[name] for name in names if name in rows]
    return bool(words) and not max(words, key=lambda word: word.at).wanted
