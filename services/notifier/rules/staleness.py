"""The time until which a letter is useful; after it, the letter would mislead.

A letter may wait long while the mail server is down. A reminder after its deadline, an invitation
to an auction that is over, or a link that has expired is not sent any more. All other kinds tell
how something ended or what somebody has, owes or gets, so they are sent however late.
"""

from datetime import datetime

from schemas.letters import LetterKind, Notice
from schemas.reasons import LetterReply

#: The field of a notice with the time after which a letter of the kind is useless.
_UNTIL: dict[LetterKind, str] = {
    "deadline-reminder": "closes_at",
    "invitation": "closes_at",
    "condition-improved": "closes_at",
    "confirm-application": "closes_at",
    "confirm-order": "confirm_by",
}


def too_late(notice: Notice, wanted_at: datetime, now: datetime) -> str:
    """Why a letter is no longer useful; empty if it is.

    A letter that `jointbuy letters resend` asked for after that time is sent anyway.
    """
    until: datetime | None = getattr(notice.says, _UNTIL.get(notice.kind, ""), None)
    if until is None or not wanted_at < until <= now:
        return ""
    return f"{LetterReply.NOT_SENT}: it was useful until {until:%Y-%m-%d %H:%M} UTC"
