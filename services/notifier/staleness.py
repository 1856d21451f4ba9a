"""Until when a letter is of use: one that comes later only misleads.

A letter may wait long while the mail server is down. A reminder after its deadline, an invitation
to an auction that is over, or a link that has expired is not sent any more. All other kinds tell
how something ended or what somebody has, owes or gets, so they are sent however late.
"""

from datetime import datetime

from schemas.messages import LetterKind, Notice

#: Which time of a notice makes the letter of a kind useless.
_UNTIL: dict[LetterKind, str] = {
    "deadline-reminder": "closes_at",
    "invitation": "closes_at",
    "condition-improved": "closes_at",
    "confirm-application": "closes_at",
    "confirm-order": "confirm_by",
}


def too_late(notice: Notice, wanted_at: datetime, now: datetime) -> str:
    """Why a letter is of no use any more, or nothing.

    One that was asked for after that time, by `jointbuy letters resend`, is sent all the same.
    """
    until: datetime | None = getattr(notice.says, _UNTIL.get(notice.kind, ""), None)
    if until is None or not wanted_at < until <= now:
        return ""
    return f"not sent: it was of use until {until:%Y-%m-%d %H:%M} UTC"
