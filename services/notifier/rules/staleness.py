"""The time until which a letter is useful; after it, the letter would mislead.

A letter may wait long while the mail server is down. A reminder after its deadline, an invitation
to an auction that is over, a link that has expired, or links that somebody asked for a day ago are
not sent any more. All other kinds tell how something ended or what somebody has, owes or gets, so
they are sent however late.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from schemas.letters import LetterKind, Notice
from schemas.reasons import LetterReply

#: The fields of a notice with the time after which a letter of the kind is useless; the first that
#: the notice has counts.
_UNTIL: dict[LetterKind, tuple[str, ...]] = {
    "deadline-reminder": ("closes_at",),
    "invitation": ("closes_at",),
    "condition-improved": ("closes_at",),
    "confirm-application": ("closes_at",),
    "confirm-order": ("confirm_by",),
    "order-waits": ("closes_at",),
}
#: How long after the notice a letter of the kind is useless.
_FOR: dict[LetterKind, timedelta] = {
    "links-again": timedelta(hours=24),
    "data-link": timedelta(hours=24),
}


def in_time(
    notices: Sequence[Notice], wanted_at: datetime, now: datetime
) -> tuple[tuple[Notice, ...], str]:
    """Those of a letter's notices that are useful, and of the others why one is not."""
    late = {notice.notice_id: too_late(notice, wanted_at, now) for notice in notices}
    useful = tuple(notice for notice in notices if not late[notice.notice_id])
    return useful, next(filter(None, late.values()), "")


def too_late(notice: Notice, wanted_at: datetime, now: datetime) -> str:
    """Why a letter is no longer useful; empty if it is.

    A letter that `jointbuy letters resend` asked for after that time is sent anyway.
    """
    until = _useful_until(notice)
    if until is None or not wanted_at < until <= now:
        return ""
    return f"{LetterReply.NOT_SENT}: it was useful until {until:%Y-%m-%d %H:%M} UTC"


def _useful_until(notice: Notice) -> datetime | None:
    if (lasts := _FOR.get(notice.kind)) is not None:
        return notice.at + lasts
    times = (getattr(notice.says, field) for field in _UNTIL.get(notice.kind, ()))
    return next((each for each in times if each is not None), None)
