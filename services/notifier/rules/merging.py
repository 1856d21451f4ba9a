"""Letters that wait a few minutes, so that several notices become one letter.

- Better terms of one auction for one buyer: the letter tells the newest terms and the first ones
  that they replaced. Invitations to one seller, and the results of a seller's offers: the letter
  has a table.
- Only optional letters wait; what is part of a contract goes out at once.
- The first notice's letter waits; each further one joins it, and its own delivery ends with
  ``merged into <the first one's id>``. A letter that is under way, was tried or has its most
  notices takes no more: the next notice begins another letter.
- The first notice says how long; a later one can only shorten that. No notice waits for more than
  half of the time that it is useful, so waiting makes none too late.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from runtime.rows import Name, Rows
from schemas.letters import LetterKind, Notice
from schemas.reasons import LetterReply
from services.notifier.rows import (
    MERGING,
    Letter,
    Merging,
    call_name,
    content_name,
    letter_name,
)

#: How long a letter waits unless the setting says otherwise.
MERGE_FOR = timedelta(minutes=5)
#: The most notices in one letter.
MERGED_MAX = 20
#: Kinds that merge, and whether only notices about one auction do.
_KINDS: Final[Mapping[LetterKind, bool]] = {
    "condition-improved": True,
    "invitation": False,
    "offer-judged": False,
}


def can_merge(kind: LetterKind) -> bool:
    """Whether notices of this kind may share a letter."""
    return kind in _KINDS


def join(notice: Notice, rows: Rows, now: datetime, merge_for: timedelta) -> str:
    """Put a notice into the letter that waits for it; returns that letter's notice id, or ''."""
    waiting = rows.get(_name(notice.kind, notice.about))
    first = waiting.notice_id if waiting is not None else ""
    if not first or not _takes_more(first, rows):
        return ""
    content, call = rows[content_name(first)], rows[call_name(first)]
    rows[content_name(first)] = replace(content, merged=(*content.merged, notice.notice_id))
    until = now + pause(notice, now, merge_for)
    if until < call.at:
        rows[call_name(first)] = replace(call, at=until)
    return first


def _takes_more(first: str, rows: Rows) -> bool:
    letter, call = rows.get(letter_name(first)), rows.get(call_name(first))
    content = rows.get(content_name(first))
    if letter is None or call is None or content is None:
        return False
    is_under_way = bool(call.owner) or call.ambiguous or letter.attempts > 0
    return not is_under_way and len(content.merged) + 1 < MERGED_MAX


def begin(notice: Notice, rows: Rows) -> None:
    """Let the next notices join this one's letter."""
    rows[_name(notice.kind, notice.about)] = Merging(notice.notice_id)


def first_of(letter: Letter) -> str:
    """The notice whose letter tells this one's; empty if it has a letter of its own."""
    mark = f"{LetterReply.MERGED} "
    is_merged = letter.status == "suppressed" and (letter.reply or "").startswith(mark)
    return (letter.reply or "").removeprefix(mark) if is_merged else ""


def end(notice_id: str, letter: Letter, rows: Rows) -> None:
    """No notice joins this letter any more."""
    name = _name(letter.kind, letter.about) if can_merge(letter.kind) else None
    if name is not None and rows.get(name) == Merging(notice_id):
        del rows[name]


def _name(kind: LetterKind, about: str) -> Name[Merging]:
    return MERGING(kind, about) if _KINDS[kind] else MERGING(kind)


def pause(notice: Notice, now: datetime, merge_for: timedelta) -> timedelta:
    """How long a notice's letter waits for others."""
    closes_at = notice.says.closes_at
    if closes_at is None:
        return merge_for
    return max(min(merge_for, (closes_at - now) / 2), timedelta(0))


def told(notices: Sequence[Notice]) -> Sequence[Notice]:
    """What a letter tells of its notices, the oldest first.

    Better terms are one: the newest, and the first ones that they replaced. Of several invitations
    to an auction the newest is told.
    """
    in_order = sorted(notices, key=lambda notice: notice.at)
    newest = in_order[-1]
    if newest.kind == "condition-improved":
        says = newest.says.model_copy(update={"before": in_order[0].says.before})
        return (newest.model_copy(update={"says": says}),)
    if newest.kind == "invitation":
        return tuple({notice.about: notice for notice in in_order}.values())
    return tuple(in_order)
