"""The rules of letters: each is sent once, tried again with growing pauses, given up after days.

Where the design is silent, the reading that loses nothing:

- A letter is known by its notice's id; a notice that comes again changes nothing.
- If the server can't be reached or refuses the login, letters wait without a try until it works
  again (``runtime.breaker``). A 4xx to the letter makes its own pauses grow, and so does a 5xx
  about the sender.
- A letter is given up when its own pauses were three days in all. The time that the server was down
  does not count, as no letter was tried. A letter that was never tried is given up after thirty
  days.
- An answer that the mailbox does not exist suppresses the address: letters to it are not tried
  until ops resend one, which lifts that. Any other 5xx ends its letter alone, or makes it wait
  where it is about us. A letter that is given up after days suppresses nothing.
- Letters that are part of a contract go to a suppressed address no more than others.
- After thirty days a letter can't be sent again by hand; that it was sent is known for good.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from domain.mailboxes import AddressError, usable
from runtime.rows import DUE, Call, Due, Name, Rows, drop, spread_pause
from schemas.letters import (
    OPTIONAL_KINDS,
    LetterResend,
    Notice,
    Preference,
    Unsubscribed,
    mailbox_of,
)
from schemas.parts import Message
from schemas.reasons import LetterReply
from services.notifier.rows import (
    SUPPRESSED,
    Content,
    Letter,
    Reply,
    Request,
    Suppressed,
    call_name,
    content_name,
    letter_name,
    preference_name,
)
from services.notifier.rows import Preference as PreferenceRow

TRIED_FOR = timedelta(days=3)
KEPT_FOR = timedelta(days=30)
#: Pause before the next look at a letter that is being sent.
KEPT_STEP = timedelta(days=1)
#: Pauses after the first, the second, … 4xx or 5xx about us; the last for all further ones.
PAUSES = tuple(timedelta(minutes=each) for each in (1, 5, 15, 30, 60, 120, 240))


# --- what comes in -------------------------------------------------------------------------------


def take_notice(message: Notice, rows: Rows, now: datetime) -> Sequence[Message]:
    """Queue a letter once, unless its recipient does not want it or the address is suppressed."""
    name = letter_name(message.notice_id)
    if name in rows:
        return ()
    letter = Letter(
        version=1,
        kind=message.kind,
        about=message.about,
        status="queued",
        attempts=0,
        ambiguous=0,
        queued_at=now,
        at=now,
        address=_address(message.recipient.email or ""),
    )
    reason = _reason_to_suppress(letter, rows)
    if reason:
        rows[name] = replace(letter, status="suppressed", reply=reason)
    else:
        rows[name] = letter
        rows[call_name(message.notice_id)] = Call(at=now, since=now)
    rows[content_name(message.notice_id)] = Content(message.model_dump_json(exclude_none=True))
    rows[DUE("forget", message.notice_id)] = Due(now + KEPT_FOR)
    return ()


def take_preference(message: Preference, rows: Rows, now: datetime) -> Sequence[Message]:
    """Keep the latest word, by its own time; letters that wait for another try go by it too."""
    name = preference_name(message.kind, message.mailbox)
    before = rows.get(name)
    if before is None or message.at >= before.at:
        rows[name] = PreferenceRow(wanted=not isinstance(message, Unsubscribed), at=message.at)
    return ()


def resend(message: LetterResend, rows: Rows, now: datetime) -> Sequence[Message]:
    """Send a letter again now, whatever became of it; its address is tried again too."""
    name = letter_name(message.notice_id)
    letter = rows.get(name)
    if letter is None or content_name(message.notice_id) not in rows:
        return ()
    suppressed = SUPPRESSED(letter.address)
    drop(rows, suppressed)
    rows[name] = replace(
        letter,
        version=letter.version + 1,
        status="queued",
        at=now,
        waited_seconds=0.0,
        next_at=None,
    )
    rows[call_name(message.notice_id)] = Call(at=now, since=now)
    return ()


def forget(row_name: Name[Due], rows: Rows, now: datetime) -> Sequence[Message]:
    """Delete a letter's content and keep its outcome.

    A letter that still waits is given up, unless somebody asked for it since.
    """
    notice_id = row_name.rpartition("/")[2]
    call = rows.get(call_name(notice_id))
    if call is not None and (call.owner or call.since + KEPT_FOR > now):
        rows[row_name] = Due(now + KEPT_STEP if call.owner else call.since + KEPT_FOR)
        return ()
    if call is not None:
        del rows[call_name(notice_id)]
        letter = rows[letter_name(notice_id)]
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


def request(row_name: Name[Call], rows: Rows, now: datetime) -> Request:
    """What the mailer is to send."""
    content = rows[content_name(row_name.rpartition("/")[2])]
    call = rows[row_name]
    return Request(notice=content.notice, wanted_at=call.since)


def settle(row_name: Name[Call], reply: Reply, rows: Rows, now: datetime) -> Sequence[Message]:
    """Record what became of a try; another is due later unless that was for good."""
    notice_id = row_name.rpartition("/")[2]
    name = letter_name(notice_id)
    call = rows[row_name]
    letter = rows[name]
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
    if reply.outcome == "sent":
        rows[name] = replace(tried, status="sent")
    elif reply.outcome == "too-late":
        rows[name] = replace(tried, status="suppressed", attempts=letter.attempts)
    elif reply.outcome == "bounced":
        rows[name] = replace(tried, status="bounced")
        if reply.verdict == "gone":
            rows[SUPPRESSED(letter.address)] = Suppressed(reply=reply.text, since=now)
    elif reason := _reason_to_suppress(letter, rows):
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


def _address(email: str) -> str:
    """The address as SMTP writes it, in lower case: one text for all of its spellings.

    Tags and dots stay, unlike in a canonical address: a refusal of ``ann+shop@`` is not a
    refusal of ``ann@``.
    """
    try:
        return usable(email).lower()
    except AddressError:
        return email.lower()


def _reason_to_suppress(letter: Letter, rows: Rows) -> str:
    if letter.kind in OPTIONAL_KINDS:
        for kind in (letter.kind, "all"):
            if _is_unwanted(kind, letter.address, rows):
                reply = LetterReply.UNSUBSCRIBED
                return reply if kind == "all" else f"{reply} from {kind}"
    suppressed = rows.get(SUPPRESSED(letter.address))
    return f"the address was refused: {suppressed.reply}" if suppressed else ""


def _is_unwanted(kind: str, address: str, rows: Rows) -> bool:
    """Whether the latest preference for letters of a kind to an address is to stop them."""
    names = (preference_name(kind, None), preference_name(kind, mailbox_of(rows.key, address)))
    words: list[PreferenceRow] = [rows[name] for name in names if name in rows]
    return bool(words) and not max(words, key=lambda word: word.at).wanted
