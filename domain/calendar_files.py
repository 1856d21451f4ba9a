"""Deadlines as calendar files (RFC 5545), for letters and pages.

An entry keeps its ``uid``, so a calendar that takes a later file moves the entry.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256

from icalendar import Calendar, Event, vCalAddress, vText

_SEQUENCES_BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
_SEQUENCE_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Deadline:
    """A deadline as told at a moment. Without ``organizer``, an address, the file names nobody."""

    uid: str
    told_at: datetime
    falls_at: datetime
    summary: str
    page: str
    language: str
    organizer: str = ""
    organizer_name: str = ""


@lru_cache(maxsize=512)
def calendar_file(deadline: Deadline) -> bytes:
    """The file. Letters to many recipients about one deadline have the same file."""
    event = Event()
    event.add("uid", deadline.uid)
    event.add("sequence", sequence(deadline.told_at))
    event.add("dtstamp", deadline.told_at)
    event.add("dtstart", deadline.falls_at)
    event.add("summary", deadline.summary, parameters={"language": deadline.language})
    event.add("url", deadline.page)
    event.add("transp", "TRANSPARENT")
    if deadline.organizer:
        organizer = vCalAddress(f"mailto:{deadline.organizer}")
        organizer.params["cn"] = vText(deadline.organizer_name)
        event.add("organizer", organizer)
    calendar = Calendar()
    calendar.add("prodid", "-//jointbuy//letters//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add_component(event)
    return bytes(calendar.to_ical())


def uid_of(about: str, domain: str) -> str:
    """The ``uid`` of the deadline of a group or an auction: letters and pages name one entry."""
    digest = sha256(about.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{digest}-deadline@{domain}"


def sequence(told_at: datetime) -> int:
    """Whole seconds since 2020, so that the file told later wins."""
    seconds = int((told_at - _SEQUENCES_BEGIN).total_seconds())
    return min(max(seconds, 0), _SEQUENCE_MAX)
